"""Last letters: the label is in the question, and no guess finds it."""

import re

import pytest

from distill.data.procedural.questions import (
  NAMES,
  ChainedArithmetic,
  CoinFlip,
  LastLetters,
  TrackingShuffledObjects,
)
from distill.errors import UserError

SIZES = {"train": 300}


def last_letters_rows(**settings):
  dataset = LastLetters(sizes=SIZES, **settings)
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
