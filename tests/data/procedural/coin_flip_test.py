"""The coin: parity of the flips, with as many 'yes' as 'no'."""

import re

import pytest

from distill.data.procedural.coin_flip import CoinFlip
from distill.data.procedural.names import NAMES
from distill.errors import UserError


def rows(size=300, **settings):
  dataset = CoinFlip(sizes={"train": size}, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_the_coin_is_still_heads_up_after_an_even_number_of_flips():
  labels = []
  for text, label in rows(people=5):
    flips = text.count(" flips it")
    assert flips + text.count(" does not flip it") == 5
    assert label == ("yes" if flips % 2 == 0 else "no")
    labels.append(label)
  assert 120 < labels.count("yes") < 180


def test_nobody_comes_twice_so_that_each_deed_counts_once():
  for text, _ in rows(size=20, people=len(NAMES)):
    people = re.findall(r"(\w+) (?:flips|does not flip) it", text)
    assert sorted(people) == sorted(NAMES)


def test_one_person_more_than_there_are_names_is_refused():
  with pytest.raises(UserError, match="number of people") as caught:
    CoinFlip(people=len(NAMES) + 1)
  assert str(len(NAMES)) in caught.value.expected
