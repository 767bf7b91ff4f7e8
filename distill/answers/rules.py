"""Answer rules: how a dataset's answers are read and compared.

The teacher's agreement, filters and the student's metric use the same rule.
No rule raises or takes long on any text, and none evaluates it.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from distill.answers import expressions

# An answer stands at the start of what follows the trigger.
_LONGEST_TEXT = 2000
_YES_NO = re.compile(r"\b(yes|no)\b")
_NUMBER = re.compile(
  # No word or point in front: 'A4' holds no 4, and '10-4' no -4.
  r"(?<![\w.])-?"
  r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
)
_LONGEST_NUMBER = 64
_LETTER = re.compile(r"\(([a-z])\)|([a-z])[.):]?$")
_LISTED = re.compile(r"^\([a-z]\) (.*)$", re.MULTILINE)
_LETTERS = re.compile(r"(?:\s*\([a-z]\)(?=\s))+")


class AnswerRule(Protocol):
  """Reads an answer out of text and compares two answers."""

  def parse(self, text: str) -> str | None:
    """Returns the answer in `text`, None where there is none."""

  def equal(self, a: str, b: str) -> bool:
    """Returns whether two answers are the same; no answer equals none."""


def _trim(text: str) -> str:
  """Returns the first line that says something, without trailing periods."""
  for line in text[:_LONGEST_TEXT].splitlines():
    line = " ".join(line.split()).rstrip(". ")
    if line:
      return line
  return ""


def _folded(text: str) -> str:
  return _trim(text).casefold()


@dataclass(frozen=True)
class TextAnswer:
  """The whole first line, less trailing periods and spare whitespace.

  Answers are compared without case unless `match_case` (the paper's code
  compares exactly, Hsieh et al. 2023, and so counts 'French' ≠ 'french').
  """

  match_case: bool = False

  def parse(self, text: str) -> str | None:
    """Returns the trimmed line as it is written, None if all is blank."""
    return _trim(text) or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both lines say the same and say something."""
    left, right = _trim(a), _trim(b)
    if not self.match_case:
      left, right = left.casefold(), right.casefold()
    return left == right != ""


@dataclass(frozen=True)
class NumberAnswer:
  """The first number in the text, or the last one with `last`.

  '$1,250.', '1250.0 boxes' and '1250' are equal. After a trigger the first
  number is the answer (Ho et al. 2023, B.2); `last` suits text without one.
  Numbers are compared exactly, within an absolute `tolerance`.
  """

  last: bool = False
  tolerance: float = 1e-6

  def parse(self, text: str) -> str | None:
    """Returns the number without '$' and commas, None if there is none."""
    text = text[-_LONGEST_TEXT:] if self.last else text[:_LONGEST_TEXT]
    text = text.replace("\N{MINUS SIGN}", "-").replace("-$", "$-")
    numbers = _NUMBER.findall(text)
    if not numbers:
      return None
    number = numbers[-1 if self.last else 0].replace(",", "")
    return number if len(number) <= _LONGEST_NUMBER else None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both hold a number and the two differ by no more."""
    left, right = self.parse(a), self.parse(b)
    if left is None or right is None:
      return False
    return abs(Fraction(left) - Fraction(right)) <= self.tolerance


@dataclass(frozen=True)
class YesNoAnswer:
  """The first word 'yes' or 'no', in any case."""

  def parse(self, text: str) -> str | None:
    """Returns 'yes' or 'no', None if neither is there."""
    found = _YES_NO.search(text[:_LONGEST_TEXT].lower())
    return found[1] if found else None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both say the same."""
    return self.parse(a) == self.parse(b) is not None


@dataclass(frozen=True)
class ChoiceAnswer:
  """One of fixed choices, by its text or its letter, in any case.

  The text may be the whole answer, or the only choice that the answer
  mentions; '(b)', 'b', 'b.' and '(b) anything' name the second choice, and
  the letter wins over the text after it.
  """

  choices: tuple[str, ...]

  def parse(self, text: str) -> str | None:
    """Returns the choice as `choices` spells it, None if not exactly one."""
    answer = _folded(text)
    by_text = {_folded(choice): choice for choice in self.choices}
    if answer in by_text:
      return by_text[answer]
    letter = _LETTER.match(answer)
    if letter:
      index = ord(letter[1] or letter[2]) - ord("a")
      return self.choices[index] if index < len(self.choices) else None
    mentioned = [
      choice
      for folded, choice in by_text.items()
      if re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", answer)
    ]
    return mentioned[0] if len(mentioned) == 1 else None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both name the same choice."""
    return self.parse(a) == self.parse(b) is not None


@dataclass(frozen=True)
class ListedChoiceAnswer:
  """One of the choices that the input lists, a line each: '(a) bank'.

  By itself it compares choices by their text; `for_input` reads answers.
  """

  def for_input(self, input: str) -> AnswerRule:
    """Returns the rule that knows this input's choices."""
    choices = tuple(choice.strip() for choice in _LISTED.findall(input))
    return ChoiceAnswer(choices) if choices else self

  def parse(self, text: str) -> str | None:
    """Returns the first line without the letters in front, None if blank."""
    return _trim(_LETTERS.sub("", _trim(text), count=1)) or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both are the same text, in any case."""
    return _folded(self.parse(a) or "") == _folded(self.parse(b) or "") != ""


def rule_for(rule: AnswerRule, input: str) -> AnswerRule:
  """Returns the rule that reads answers to this input."""
  if isinstance(rule, ListedChoiceAnswer):
    return rule.for_input(input)
  return rule


@dataclass(frozen=True)
class ExpressionAnswer:
  """An arithmetic expression such as '( 84.0 / 2.0 )', equal by its value.

  Values are exact fractions, within an absolute `tolerance`; an expression
  that has no value (1/0, too large) equals nothing, not even itself.
  """

  tolerance: float = 1e-6

  def parse(self, text: str) -> str | None:
    """Returns the first expression with a value, as written, or None."""
    return expressions.find(text)

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both have a value and the two differ by no more."""
    left, right = expressions.evaluate(a), expressions.evaluate(b)
    if left is None or right is None:
      return False
    return abs(left - right) <= self.tolerance
