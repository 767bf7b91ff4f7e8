"""The questions themselves: gold labels recomputed from the text by hand."""

import re

from distill.data.procedural.chained_arithmetic import ChainedArithmetic
from distill.data.procedural.coin_flip import CoinFlip
from distill.data.procedural.last_letters import LastLetters
from distill.data.procedural.tracking_shuffled_objects import (
  TrackingShuffledObjects,
)

SIZES = {"train": 300}


def rows(dataset):
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_last_letters_are_those_of_the_quoted_words():
  lasts = set()
  for text, label in rows(LastLetters(sizes=SIZES, words=4)):
    words = text.split('"')[1].split()
    assert len(words) == 4
    assert label == "".join(word[-1] for word in words)
    lasts |= set(label)
  # Both vowels and consonants end words, or guessing would be easy.
  assert lasts >= set("aeiou") and len(lasts) > 12


def test_last_letters_fit_a_tiny_student():
  assert max(len(text) for text, _ in rows(LastLetters(sizes=SIZES))) < 50


def test_the_coin_is_still_heads_up_after_an_even_number_of_flips():
  labels = []
  for text, label in rows(CoinFlip(sizes=SIZES, people=5)):
    flips = text.count(" flips it")
    assert flips + text.count(" does not flip it") == 5
    assert label == ("yes" if flips % 2 == 0 else "no")
    labels.append(label)
  assert 120 < labels.count("yes") < 180


def test_the_label_is_what_the_person_holds_after_all_swaps():
  dataset = TrackingShuffledObjects(sizes=SIZES, people=4, swaps=5)
  for text, label in rows(dataset):
    start, *swaps, question = text.removesuffix("?").split(". ")
    start = start.replace(" holds the ", " the ")
    holds = dict(pair.split(" the ") for pair in start.split(", "))
    assert len(swaps) == 5 and len(set(holds.values())) == 4
    for swap in swaps:
      a, b = swap.removesuffix(" swap").split(" and ")
      holds[a], holds[b] = holds[b], holds[a]
    assert label == holds[question.split()[2]]


def test_word_problems_say_their_arithmetic():
  example = ChainedArithmetic(sizes={"train": 1}, steps=3).examples("train")[0]
  assert example.input == (
    "Ann has 16 stamps. Ann gets 2 from Jo. Ann finds 6 more. Ann sells 6. "
    "How many stamps are there now?"
  )
  assert example.label == "18"


def test_no_number_on_the_way_is_negative_and_factors_stay_small():
  signs = {"finds": 1, "buys": 1, "gets": 1, "loses": -1, "sells": -1}
  signs["gives"] = -1
  times = {"doubles": 2, "twice": 2, "2 times": 2}
  times |= {"triples": 3, "three times": 3, "3 times": 3}
  for text, label in rows(ChainedArithmetic(sizes=SIZES, steps=6)):
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
