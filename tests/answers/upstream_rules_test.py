"""The papers' own rules: what they count that ours does not, and back."""

import pytest

from distill.answers.rules import (
  ChoiceAnswer,
  ExpressionAnswer,
  ListedChoiceAnswer,
  NumberAnswer,
)
from distill.data.published import upstream


def right(rule, said, gold):
  answer = rule.parse(said)
  return answer is not None and rule.equal(answer, gold)


@pytest.mark.parametrize(
  "theirs, ours, said, gold, verdicts",
  [
    # Exact text, case and all.
    ("dss cqa", ListedChoiceAnswer(), "French fries", "french fries", (0, 1)),
    ("dss cqa", ListedChoiceAnswer(), "bank", "bank", (1, 1)),
    # Floats compared without a tolerance.
    ("dss svamp", ExpressionAnswer(), "0.1 + 0.2", "( 0.3 )", (0, 1)),
    ("dss svamp", ExpressionAnswer(), "( 4 / 2 )", "( 1 + 1 )", (1, 1)),
    # Digits as text for two sets, numbers for the others.
    ("cot multiarith", NumberAnswer(), "70.00", "70", (0, 1)),
    ("cot single_eq", NumberAnswer(), "70.00", "70", (1, 1)),
    ("cot gsm8k", NumberAnswer(), "$1,000", "1,000", (1, 1)),
    # Any capital letter, also within a word.
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "Certainly (A)", "C", (1, 0)),
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "(b)", "B", (0, 1)),
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "B", "B", (1, 1)),
  ],
)
def test_both_rules(theirs, ours, said, gold, verdicts):
  paper, data = theirs.split()
  make = {"dss": upstream.step_by_step, "cot": upstream.fine_tune_cot}[paper]
  rule = make(data)["upstream"]
  assert (right(rule, said, gold), right(ours, said, gold)) == verdicts
  assert not right(rule, "", gold)
