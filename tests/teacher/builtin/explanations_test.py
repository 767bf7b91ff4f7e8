"""How far rationales are right, on questions worked by hand."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.procedural import (
  ChainedArithmetic,
  CoinFlip,
  LastLetters,
  TrackingShuffledObjects,
)
from distill.teacher.builtin import explanations
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import Request

WORDS = 'Join the last letters of "mifo taru keb".'
SUM = "Mia has 5 pens. Mia sells 3. Mia doubles them. How many pens are left?"
COIN = (
  "A coin is heads up. Ann flips it. Bob does not flip the coin. "
  "Is it still heads up?"
)
SWAPS = "Ann holds the key, Bob the cup. Ann and Bob swap. What does Ann hold?"


@pytest.mark.parametrize(
  "question, rationale, progress",
  [
    (WORDS, "mifo ends in o, taru in u, keb in b: oub.", (4, True)),
    (WORDS, "mifo  ends in o,\ntaru in u, keb in b: oub.", (4, True)),
    (WORDS, "mifo ends in o, taru in u, keb in b: ouk.", (3, False)),
    (WORDS, "mifo ends in o, taru in r, keb in b: orb.", (1, False)),
    (WORDS, "mifo ends in o, taru in u,", (2, False)),
    (WORDS, "", (0, False)),
    # A skipped step is wrong where it should stand; 21 does not start with 2.
    (SUM, "2 * 2 = 4.", (0, False)),
    (SUM, "5 - 3 = 2, 2 * 2 = 4.", (2, True)),
    (SUM, "5 - 3 = 21, 2 * 2 = 4.", (0, False)),
    (SUM, "5 - 3 = 2, 2 * 2 = 4. 4 + 1 = 5.", (2, False)),
    # The teacher's other wordings.
    (SUM, "2, 4.", (2, True)),
    (SUM, "2, 5.", (1, False)),
    (
      SUM,
      "Let us think step by step. Step 1: 5 - 3 = 2, Step 2: 2 * 2 = 5.",
      (1, False),
    ),
    (COIN, "Ann flips: tails. Bob does not: heads.", (1, False)),
    (SWAPS, "Ann, Bob hold key, cup; then cup, key.", (2, True)),
    ("What is the capital of France?", "Paris.", None),
  ],
)
def test_the_first_wrong_step(question, rationale, progress):
  assert explanations.progress(question, rationale) == progress


@pytest.mark.parametrize(
  "question, rationale, answer",
  [
    (WORDS, "mifo ends in o, taru in r, keb in b: orb.", "orb"),
    (SUM, "5 - 3 = 2, 2 * 2 = 5.", "5"),
    (SUM, "2 and so on", "on"),
    (COIN, "Ann flips: tails. Bob does not: heads.", "yes"),
    (COIN, "Ann flips: tails. Bob does not: tails", "no"),
    (SWAPS, "Ann, Bob hold key, cup; then cup, key.", "cup"),
    (SWAPS, "Ann, Bob hold key, cup; then key, cup.", "key"),
    (SWAPS, "Step 2: then key, cup. This leads to hat.", "hat"),
    (SWAPS, "cup", None),
    ("What is the capital of France?", "Paris.", None),
  ],
)
def test_the_answer_that_a_rationale_leads_to(question, rationale, answer):
  assert explanations.conclusion(question, rationale) == answer


SIZES = {"train": 50}
DATASETS = [
  LastLetters(sizes=SIZES),
  CoinFlip(sizes=SIZES),
  TrackingShuffledObjects(sizes=SIZES),
  ChainedArithmetic(sizes=SIZES),
]


def ask(teacher, example):
  request = Request(f"Q: {example.input}\nA:")
  text = asyncio.run(teacher.complete(request)).text
  return text.strip().split(" So the answer is ")


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda d: d.name)
@pytest.mark.parametrize("verbosity", ["terse", "normal", "verbose"])
def test_broken_rationales_of_the_teacher_are_found(dataset, verbosity):
  for example in dataset.examples("train"):
    right, answer = ask(BuiltinTeacher(verbosity=verbosity), example)
    assert explanations.progress(example.input, right)[1]
    assert f"{explanations.conclusion(example.input, right)}." == answer
    wrong, answer = ask(BuiltinTeacher(1.0, verbosity=verbosity), example)
    assert not explanations.progress(example.input, wrong)[1]
    assert f"{explanations.conclusion(example.input, wrong)}." == answer


@given(st.text(), st.text())
def test_no_text_raises(words, rationale):
  question = f'Join the last letters of "{words}".'
  found = explanations.progress(question, rationale)
  assert found is None or found[0] >= 0
  explanations.conclusion(question, rationale)
