"""Metrics of rationales, on predictions worked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.rules import (
  ChoiceAnswer,
  ListedChoiceAnswer,
  NumberAnswer,
  TextAnswer,
  YesNoAnswer,
)
from distill.evaluation import rationales

PENS = "Mia has 5 pens. Mia sells 3. Mia doubles them. How many are left?"
COIN = "A coin is heads up. Ann flips it. Is it still heads up?"
BANK = "Where is money kept?\n(a) bank\n(b) river\n(c) shoe"


def test_the_first_wrong_step_of_those_that_go_wrong():
  said = {
    "a": "5 - 3 = 2, 2 * 2 = 4.",
    "b": "5 - 3 = 2, 2 * 2 = 5.",
    "c": "5 - 3 = 1, 1 * 2 = 2.",
    "d": "5 - 3 = 2, 2 * 2 = 4. And so on.",
  }
  assert rationales.steps(dict.fromkeys(said, PENS), said) == {
    "right_rationales": 25.0,
    "first_wrong_step": 1.0,  # 1, 0 and 2
  }


def test_where_none_goes_wrong_there_is_no_first_step():
  assert rationales.steps({1: PENS}, {1: "5 - 3 = 2, 2 * 2 = 4."}) == {
    "right_rationales": 100.0
  }


def test_questions_that_no_solver_reads_do_not_count():
  questions = {1: PENS, 2: "Why?"}
  assert rationales.steps(
    questions, {1: "5 - 3 = 2, 2 * 2 = 4.", 2: "So."}
  ) == {"right_rationales": 100.0}
  assert rationales.steps(questions, {2: "So."}) == {}


def test_consistency_is_with_the_students_own_label():
  said = {
    1: "Ann flips: tails.",  # no
    2: "Ann flips: heads.",  # yes: wrong, but what the student answers
    3: "Ann flips: tails.",
    4: "Ann flips:",
  }
  labels = {1: "no", 2: "Yes.", 3: "yes", 4: "yes"}
  assert rationales.agreement(
    YesNoAnswer(), dict.fromkeys(said, COIN), said, labels
  ) == {"consistency": 50.0, "concluding_rationales": 100.0}


def test_an_answer_is_read_by_the_choices_of_its_question():
  said = {
    1: "Money is kept in a bank. So the answer is (a).",
    2: "People keep it there. Of these, a bank keeps money.",
    3: "A bank or a river has it.",
    4: "I would not know.",
  }
  labels = {1: "(a)", 2: "bank", 3: "bank", 4: "bank"}
  assert rationales.agreement(
    ListedChoiceAnswer(), dict.fromkeys(said, BANK), said, labels
  ) == {"consistency": 50.0, "concluding_rationales": 50.0}


@pytest.mark.parametrize(
  "rule, question, rationale, answer",
  [
    (NumberAnswer(), PENS, "5 - 3 = 2, 2 * 2 = 5.", "5"),
    (NumberAnswer(), "How many?", "He had 8 and ate 3. 8 - 3 = 5.", "5"),
    (NumberAnswer(), "How many?", "The answer is 7, not 9.", "7"),
    (NumberAnswer(), "How many?", "Nobody knows.", None),
    (TextAnswer(), 'Join the last letters of "ab cd".', "b, d: bd.", "bd"),
    (
      ChoiceAnswer(("red", "blue")),
      "Which?",
      "Red is out. It is blue!",
      "blue",
    ),
    (YesNoAnswer(), "Is it?", "", None),
  ],
)
def test_what_a_rationale_concludes(rule, question, rationale, answer):
  assert rationales.concluded(rule, question, rationale) == answer


@pytest.mark.parametrize(
  "output",
  [
    "So it is. --> no",
    "So it is.\n\nTherefore, the answer is no",
    "So it is. So the answer is: no",
    "no explanation: So it is.",
    "So it is.",
  ],
)
def test_the_reasoning_of_a_chain(output):
  assert rationales.reasoning(TextAnswer(), output).strip() == "So it is."


@given(st.text())
def test_no_rationale_makes_it_raise(rationale):
  for rule in (NumberAnswer(), TextAnswer(), YesNoAnswer()):
    rationales.concluded(rule, COIN, rationale)
