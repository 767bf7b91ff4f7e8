"""Procedural datasets: disjoint splits, and labels that follow from inputs."""

import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.examples import normalise
from distill.data.procedural import (
  NAMES,
  ChainedArithmetic,
  Choices,
  CoinFlip,
  LastLetters,
  Permutation,
  TrackingShuffledObjects,
)
from distill.errors import UserError

ALL = [LastLetters, CoinFlip, TrackingShuffledObjects, ChainedArithmetic]
SIZES = {"train": 300, "validation": 40, "test": 40}


def inputs(dataset, split):
  return [normalise(example.input) for example in dataset.examples(split)]


@pytest.mark.parametrize("dataset", ALL)
def test_splits_are_disjoint_even_of_different_seeds(dataset):
  one, other = dataset(seed=1, sizes=SIZES), dataset(seed=2, sizes=SIZES)
  train = inputs(one, "train") + inputs(other, "train")
  held_out = inputs(one, "validation") + inputs(other, "test")
  assert len(train) == 600 and len(held_out) == 80
  assert not set(train) & set(held_out)
  assert not set(inputs(one, "validation")) & set(inputs(other, "test"))
  assert inputs(one, "train") != inputs(other, "train")


@pytest.mark.parametrize("dataset", ALL)
def test_no_example_comes_twice_and_a_smaller_size_is_a_prefix(dataset):
  large = dataset(sizes=SIZES).examples("train")
  assert len({example.id for example in large}) == len(large) == 300
  assert dataset(sizes={"train": 90}).examples("train") == large[:90]
  assert dataset(sizes={"train": 0}).examples("train") == []


PRINT_DIGEST = """
import hashlib
from distill.data.procedural import ChainedArithmetic, LastLetters
rows = LastLetters(seed=7).examples('test')[:50]
rows = rows + ChainedArithmetic(seed=7).examples('test')[:50]
print(hashlib.sha256(repr(rows).encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process():
  run = subprocess.run(
    [sys.executable, "-c", PRINT_DIGEST],
    env={**os.environ, "PYTHONHASHSEED": "4"},
    capture_output=True,
    text=True,
    check=True,
  )
  # Of the first release: a change of this orphans every cache.
  assert run.stdout.startswith("e5ca7f94d8801c19")


def test_a_split_can_be_emptied_exactly_and_no_further():
  # 24 people, who flip or do not: 48 questions in the three splits.
  counts = {}
  for split in CoinFlip.splits:
    with pytest.raises(UserError) as error:
      CoinFlip(people=1, sizes={split: 49}).examples(split)
    assert "49, the size asked for" in error.value.expected
    counts[split] = int(error.value.found.split()[0])
  assert sum(counts.values()) == 48
  sets = [
    set(inputs(CoinFlip(people=1, sizes=counts), split)) for split in counts
  ]
  assert len(set.union(*sets)) == 48


def test_asking_for_more_than_any_split_could_have_fails_at_once():
  start = time.monotonic()
  # (3 starts · 2 lengths · 14 · 5 · 14 · 5)² questions.
  dataset = LastLetters(words=2, sizes={"train": 10**9})
  with pytest.raises(UserError, match="at most 864,360,000"):
    dataset.examples("train")
  assert time.monotonic() - start < 1


def test_generation_is_quick():
  start = time.process_time()
  LastLetters(sizes={"train": 4000}).examples("train")
  # Some 15,000 a second where this was written.
  assert time.process_time() - start < 2


@pytest.mark.parametrize(
  "arguments, named",
  [
    ({"words": 0}, "number of words"),
    ({"words": 2.5}, "number of words"),
    ({"sizes": {"train": -1}}, "last_letters/train"),
    ({"sizes": {"dev": 5}}, "'dev'"),
  ],
)
def test_impossible_settings_are_refused_when_made(arguments, named):
  with pytest.raises(UserError, match=named):
    LastLetters(**arguments)


@given(st.integers(0, 5 * 4 * 3 * 7 - 1))
def test_choices_read_each_point_once_and_measure_the_space(index):
  choices = Choices(index)
  people = choices.sample("abcde", 3)
  number = choices.below(7)
  assert choices.space == 420 and len(set(people)) == 3
  # Rebuilt by hand: the digits of a mixed-radix number.
  left, rebuilt, radix = list("abcde"), 0, 1
  for person in people:
    rebuilt += left.index(person) * radix
    radix *= len(left)
    left.remove(person)
  assert rebuilt + number * radix == index


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 1000])
def test_a_permutation_hits_each_place_once(size):
  order = Permutation(size, seed=3)
  assert sorted(order[i] for i in range(size)) == list(range(size))


def test_a_permutation_of_a_space_beyond_machine_words():
  size = 9800**40
  places = {Permutation(size, seed=0)[i] for i in range(200)}
  assert len(places) == 200
  # Spread over the space: some in its first and some in its last quarter.
  assert min(places) < size // 4 and max(places) > 3 * size // 4


@given(st.integers(2, 10**30), st.integers(0, 10**6), st.data())
def test_two_places_never_meet(size, seed, data):
  order = Permutation(size, seed)
  one = data.draw(st.integers(0, size - 1))
  other = data.draw(st.integers(0, size - 1).filter(lambda place: place != one))
  assert order[one] != order[other]
  assert 0 <= order[one] < size


def test_seeds_give_orders_that_have_little_in_common():
  orders = [
    [Permutation(1000, seed)[i] for i in range(1000)] for seed in (1, 2)
  ]
  # Two random orders agree in one place on average; 12 is beyond chance.
  assert sum(a == b for a, b in zip(*orders, strict=True)) < 12
  assert orders[0] == [Permutation(1000, 1)[i] for i in range(1000)]


def last_letters_rows(**settings):
  dataset = LastLetters(sizes={"train": 300}, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_labels_are_those_of_the_quoted_words():
  lasts = set()
  for text, label in last_letters_rows(words=4):
    words = text.split('"')[1].split()
    assert len(words) == 4
    assert label == "".join(word[-1] for word in words)
    lasts |= set(label)
  # Both vowels and consonants end words, or guessing would be easy.
  assert lasts >= set("aeiou") and len(lasts) > 12


def test_questions_fit_a_tiny_student():
  assert max(len(text) for text, _ in last_letters_rows()) < 50


def test_neither_the_place_nor_the_vowel_of_a_letter_gives_it_away():
  words = [text.split('"')[1].split() for text, _ in last_letters_rows()]
  lengths = [len(word) for three in words for word in three]
  assert set(lengths) == {3, 4, 5, 6}
  # Half of the letters asked for are vowels, give or take 3 deviations of 900.
  vowels = sum(word[-1] in "aeiou" for three in words for word in three)
  assert 405 < vowels < 495


def coin_flip_rows(size=300, **settings):
  dataset = CoinFlip(sizes={"train": size}, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_the_coin_is_still_heads_up_after_an_even_number_of_flips():
  labels = []
  for text, label in coin_flip_rows(people=5):
    flips = text.count(" flips it")
    assert flips + text.count(" does not flip it") == 5
    assert label == ("yes" if flips % 2 == 0 else "no")
    labels.append(label)
  assert 120 < labels.count("yes") < 180


def test_nobody_comes_twice_so_that_each_deed_counts_once():
  for text, _ in coin_flip_rows(size=20, people=len(NAMES)):
    people = re.findall(r"(\w+) (?:flips|does not flip) it", text)
    assert sorted(people) == sorted(NAMES)


def test_one_person_more_than_there_are_names_is_refused():
  with pytest.raises(UserError, match="number of people") as caught:
    CoinFlip(people=len(NAMES) + 1)
  assert str(len(NAMES)) in caught.value.expected


def test_the_label_is_what_the_person_holds_after_all_swaps():
  dataset = TrackingShuffledObjects(sizes={"train": 300}, people=4, swaps=5)
  for row in dataset.examples("train"):
    text, label = row.input, row.label
    start, *swaps, question = text.removesuffix("?").split(". ")
    start = start.replace(" holds the ", " the ")
    holds = dict(pair.split(" the ") for pair in start.split(", "))
    assert len(swaps) == 5 and len(set(holds.values())) == 4
    for swap in swaps:
      a, b = swap.removesuffix(" swap").split(" and ")
      holds[a], holds[b] = holds[b], holds[a]
    assert label == holds[question.split()[2]]


def arithmetic_rows(size=300, **settings):
  dataset = ChainedArithmetic(sizes={"train": size}, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_word_problems_say_their_arithmetic():
  assert arithmetic_rows(size=1, steps=3) == [
    (
      "Ann has 16 stamps. Ann gets 2 from Jo. Ann finds 6 more. Ann sells 6. "
      "How many stamps are there now?",
      "18",
    )
  ]


def test_no_number_on_the_way_is_negative_and_factors_stay_small():
  signs = {"finds": 1, "buys": 1, "gets": 1, "loses": -1, "sells": -1}
  signs["gives"] = -1
  times = {"doubles": 2, "twice": 2, "2 times": 2}
  times |= {"triples": 3, "three times": 3, "3 times": 3}
  for text, label in arithmetic_rows(steps=6):
    start, *steps = text.split(". ")[:-1]
    value = int(re.search(r"\d+", start)[0])
    for step in steps:
      factor = next((n for word, n in times.items() if word in step), 0)
      if factor:
        assert value <= 30
        value *= factor
      else:
        verb, amount = step.split()[1:3]
        value += signs[verb] * int(amount)
      assert value >= 0
    assert len(steps) == 6 and label == str(value)


def test_all_wordings_are_met_and_a_gift_has_another_person():
  text = "\n".join(text for text, _ in arithmetic_rows(steps=4))
  for words in "finds buys loses sells doubles triples twice times".split():
    assert words in text
  gifts = re.findall(r"(\w+) (?:gives \d+ to|gets \d+ from) (\w+)\.", text)
  assert gifts and all(who != friend for who, friend in gifts)


@pytest.mark.parametrize("steps", [0, 101, "2"])
def test_an_impossible_number_of_steps_is_refused(steps):
  with pytest.raises(UserError, match="number of steps"):
    ChainedArithmetic(steps=steps)
