"""Procedural text: the same everywhere, and nothing of any procedural task."""

import hashlib
import re

import pytest

from distill.data import procedural_text
from distill.data.procedural import (
  ChainedArithmetic,
  CoinFlip,
  LastLetters,
  TrackingShuffledObjects,
)
from distill.errors import UserError
from distill.teacher.builtin import explanations, solvers

LINES = list(procedural_text.lines(20_000))
DATASETS = [LastLetters, CoinFlip, TrackingShuffledObjects, ChainedArithmetic]


def words(line):
  """Returns the words of a line, without letters that stand alone."""
  return re.findall(r"\w\w+", line.lower())


def threes(line):
  """Returns all three words in a row of a line."""
  found = words(line)
  return set(zip(found, found[1:], found[2:], strict=False))


def examples(dataset):
  return [e for split in dataset().splits for e in dataset().examples(split)]


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_word_of_the_text_is_a_label(dataset):
  labels = {example.label.lower() for example in examples(dataset)}
  assert not labels & {word for line in LINES for word in words(line)}


@pytest.mark.parametrize("dataset", DATASETS)
def test_questions_and_rationales_share_no_three_words_with_the_text(dataset):
  said = set().union(*map(threes, LINES))
  for example in examples(dataset):
    solution = solvers.solve(example.input)
    for wording in explanations.VERBOSITIES.values():
      assert not said & threes(" ".join(wording(solution))), example.input
    assert not said & threes(example.input), example.input


def test_a_seed_gives_the_same_lines_everywhere_and_a_count_their_beginning():
  digest = hashlib.sha256("\n".join(LINES).encode()).hexdigest()
  assert (
    digest == "d47ef1a50d0c4a347cb0d98b2bd5ce50ba7f60a18a2a0eaa8a1444ea5d6d8c33"
  )
  assert list(procedural_text.lines(5)) == LINES[:5]
  assert list(procedural_text.lines(5, seed=1)) != LINES[:5]


def test_words_are_spelled_repeated_and_ordered_without_mistakes():
  spelled = [re.findall(r'"(\w+)" is spelled ([a-z ]+)\.', x) for x in LINES]
  spelled = [pair for pairs in spelled for pair in pairs]
  assert len(spelled) > 5000
  assert all(word == letters.replace(" ", "") for word, letters in spelled)
  copied = re.findall(r'"([a-z ]+)" again is "([a-z ]+)"', "\n".join(LINES))
  assert len(copied) > 1000 and all(a == b for a, b in copied)
  ordered = re.findall(r'In "([a-z ]+)", (.+)\.', "\n".join(LINES))
  for listed, places in ordered:
    for place in places.split(", "):
      word, name = place.split(" is ")
      number = ["first", "second", "third", "fourth"].index(name)
      assert listed.split()[number] == word


def test_a_number_of_lines_is_at_least_one():
  with pytest.raises(UserError, match="number of lines"):
    next(procedural_text.lines(0))
