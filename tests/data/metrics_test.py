"""The accuracy that tables report."""

import pytest

from distill.data import metrics
from distill.teacher.answers import NumberAnswer, TextAnswer


def test_accuracy_is_a_percentage_by_the_rule():
  score = metrics.accuracy(NumberAnswer())
  assert score(["5", "6", "7", "8"], ["5.0", "it is 6", "", "9"]) == {
    "accuracy": 50.0
  }
  assert score([], []) == {"accuracy": 0.0}


def test_no_answer_is_never_right():
  assert metrics.accuracy(TextAnswer())([""], [""]) == {"accuracy": 0.0}


def test_every_target_needs_a_prediction():
  with pytest.raises(ValueError):
    metrics.accuracy(TextAnswer())(["a", "b"], ["a"])


@pytest.mark.parametrize(
  "text, is_target, answer",
  [
    ("So it is. --> ab", False, "ab"),
    ("x --> y --> z", False, "z"),
    ("The letters are a and b", False, ""),
    ("The letters -->", False, ""),
    ("ab", True, "ab"),
  ],
)
def test_the_answer_of_a_chain(text, is_target, answer):
  example = {"inputs_pretokenized": b"?"}
  found = metrics.answer_after_arrow(text, example=example, is_target=is_target)
  assert found == answer
