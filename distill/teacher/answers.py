"""The former address of the answer rules, kept for users' own families."""

from distill.answers.rules import (
  AnswerRule,
  ChoiceAnswer,
  ExpressionAnswer,
  ListedChoiceAnswer,
  NumberAnswer,
  TextAnswer,
  YesNoAnswer,
  rule_for,
)

__all__ = [
  "AnswerRule",
  "ChoiceAnswer",
  "ExpressionAnswer",
  "ListedChoiceAnswer",
  "NumberAnswer",
  "TextAnswer",
  "YesNoAnswer",
  "rule_for",
]
