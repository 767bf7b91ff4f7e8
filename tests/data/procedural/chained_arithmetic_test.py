"""Word problems: the text alone gives the number, by small arithmetic."""

import re

import pytest

from distill.data.procedural.chained_arithmetic import ChainedArithmetic
from distill.errors import UserError


def rows(size=300, **settings):
  dataset = ChainedArithmetic(sizes={"train": size}, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_word_problems_say_their_arithmetic():
  assert rows(size=1, steps=3) == [
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
  for text, label in rows(steps=6):
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
  text = "\n".join(text for text, _ in rows(steps=4))
  for words in "finds buys loses sells doubles triples twice times".split():
    assert words in text
  gifts = re.findall(r"(\w+) (?:gives \d+ to|gets \d+ from) (\w+)\.", text)
  assert gifts and all(who != friend for who, friend in gifts)


@pytest.mark.parametrize("steps", [0, 101, "2"])
def test_an_impossible_number_of_steps_is_refused(steps):
  with pytest.raises(UserError, match="number of steps"):
    ChainedArithmetic(steps=steps)
