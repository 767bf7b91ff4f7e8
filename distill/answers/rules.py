"""Answer rules: how the answers of a dataset are read and compared.

The teacher's agreement, the filters and the student's metric use the same rule.
Wrappers (wrappers.py) are not part of an answer. No rule raises an error, takes
long, or runs code, whatever the text.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from distill.answers import arithmetic, wrappers
from distill.answers import choices as choice_reading

_LONGEST_TEXT = 1000
_MOST_NUMBERS = 8
_SENTENCE_END = re.compile(
  r"(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bNo)"
  r"(?<=[.!?])\s+(?=[A-Z\"'(])"
)
_LEADING_YES_NO = re.compile(r"(yes|no|true|false)\b")
# Words that may precede a number which other numbers follow.
_HEDGE = re.compile(
  r"\W*(?:(?:about|approx|approximately|around|roughly|nearly|almost|exactly"
  r"|only|just|still|now|that|there (?:are|were)|a total of|in total|at least"
  r"|at most|over|under|equal to|equals|[a-z] ?=|\$)\W*)*",
  re.IGNORECASE,
)
_BOTH = re.compile(r"\b(?:yes|no) ?(?:/|or|and) ?(?:yes|no)\b")
_LATER_YES_NO = re.compile(r"\b(yes|no)\b(?=\W*(?:$|[.,;!]))")
_MEANING = {"true": "yes", "false": "no"}


class AnswerRule(Protocol):
  """Reads an answer out of text and compares two answers."""

  def parse(self, text: str) -> str | None:
    """Returns the answer in `text`, None if there is none."""

  def equal(self, a: str, b: str) -> bool:
    """Returns whether two answers are the same; missing ones never are."""


@dataclass(frozen=True)
class AnswerForm:
  """How prompts and schemas describe the answers of a rule.

  Attributes:
    text: What an answer is to look like, for a prompt.
    kind: What follows 'the answer' in a trigger (Kojima et al. 2022), or ''.
    values: The possible answers, () where they cannot be listed.
  """

  text: str = "the answer alone"
  kind: str = ""
  values: tuple[str, ...] = ()


def form_of(rule: AnswerRule) -> AnswerForm:
  """Returns the form of a rule's answers.

  It is what the rule's method `form()` returns, or the default form for a rule
  without that method.
  """
  form = getattr(rule, "form", None)
  return form() if form else AnswerForm()


def rule_for(rule: AnswerRule, input: str) -> AnswerRule:
  """Returns the rule that reads answers to this input."""
  for_input = getattr(rule, "for_input", None)
  return for_input(input) if for_input else rule


def choices_of(rule: AnswerRule, input: str = "") -> tuple[str, ...]:
  """Returns the choices that answers to this input have, () where none.

  They are the rule's attribute `choices`.
  """
  return tuple(getattr(rule_for(rule, input), "choices", ()))


@dataclass(frozen=True)
class TextAnswer:
  """The first line with text, without wrappers.

  Case is ignored unless `match_case` is set. (The code of Hsieh et al. 2023
  compares exactly: 'French' ≠ 'french'.)
  """

  match_case: bool = False

  def parse(self, text: str) -> str | None:
    """Returns the line as it is written, None if all is blank."""
    return wrappers.first_line(text) or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both lines are equal and not blank."""
    left, right = self.parse(a) or "", self.parse(b) or ""
    if not self.match_case:
      left, right = left.casefold(), right.casefold()
    return left == right != ""


@dataclass(frozen=True)
class NumberAnswer:
  """The first number in the first sentence, or the last one with `last`.

  '$1,250.', '1250.0 boxes' and '1250' are equal; arithmetic.py defines which
  numbers have a value. There is no answer where the first number has no value,
  or where a sentence has several numbers. After a trigger the first number is
  the answer (Ho et al. 2023, B.2); `last` is for text without a trigger.
  Numbers are compared as exact fractions, within an absolute `tolerance`.
  """

  last: bool = False
  tolerance: float = 1e-6

  def form(self) -> AnswerForm:
    """Returns how prompts describe the answer."""
    return AnswerForm("the answer as a number", " (arabic numerals)")

  def conclusion(self, text: str) -> str | None:
    """Returns the last number of a rationale, None if there is none."""
    return dataclasses.replace(self, last=True).parse(text)

  def parse(self, text: str) -> str | None:
    """Returns the number without units and commas, None if there is none."""
    if self.last:
      lines = wrappers.without_latex(text[-_LONGEST_TEXT:]).splitlines()
      lines = [" ".join(line.split()) for line in lines if line.strip()]
      by_line = (
        list(arithmetic.find_numbers(line)) for line in reversed(lines)
      )
      return next((some[-1] for some in by_line if some), None)
    line = wrappers.first_line(text)
    sentence = _SENTENCE_END.split(line, maxsplit=1)[0]
    values = arithmetic.find_numbers(sentence)
    found = list(itertools.islice(values, _MOST_NUMBERS))
    # 'We add 5 and 3' has no answer, '8 of 10' and 'about 8 of 10' have.
    start = _HEDGE.sub("", sentence, 1)
    if len(set(found)) > 1 and not arithmetic.starts_with_number(start):
      return None
    return found[0] if found else None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both have a number, within the tolerance."""
    left, right = self.parse(a), self.parse(b)
    if left is None or right is None:
      return False
    return abs(Fraction(left) - Fraction(right)) <= self.tolerance


@dataclass(frozen=True)
class YesNoAnswer:
  """'yes' or 'no' in any case: the first word, or else the concluding one."""

  def form(self) -> AnswerForm:
    """Returns how prompts describe the answer."""
    return AnswerForm("yes or no", " (yes or no)", ("yes", "no"))

  def parse(self, text: str) -> str | None:
    """Returns 'yes' or 'no', None if neither or both are said."""
    line = wrappers.first_line(text).lower()
    if _BOTH.search(line):
      return None
    leading = _LEADING_YES_NO.match(line)
    if leading:
      word = leading[1]
      # 'True.' answers; 'true love' does not.
      if word in _MEANING:
        return _MEANING[word] if line == word else None
      return word
    later = set(_LATER_YES_NO.findall(line))
    return later.pop() if len(later) == 1 else None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both are the same."""
    return self.parse(a) == self.parse(b) is not None


@dataclass(frozen=True)
class ChoiceAnswer:
  """One of fixed choices, by its text or its letter, in any case.

  The text may be the whole answer, or the only choice in it. '(b)', 'b', 'B,
  because …', 'option B' and '(b) anything' are the second choice: a letter has
  priority over the text after it.

  Attributes:
    choices: The values of answers. Where they are single letters, an answer
      has the letter as a capital, in brackets, or as its only text.
    texts: The text of each choice, where `choices` are letters.
  """

  choices: tuple[str, ...]
  texts: tuple[str, ...] = ()

  def for_input(self, input: str) -> AnswerRule:
    """Returns the rule with the texts of the choices in the input."""
    listed = choice_reading.listed(input)
    if self._lettered and len(listed) == len(self.choices):
      return dataclasses.replace(self, texts=listed)
    return self

  @property
  def _lettered(self) -> bool:
    return all(len(c) == 1 and c.isalpha() for c in self.choices)

  def form(self) -> AnswerForm:
    """Returns how prompts describe the answer."""
    *first, last = self.choices
    return AnswerForm(
      "one of: " + ", ".join(self.choices),
      f" ({', '.join(first)} or {last})",
      tuple(dict.fromkeys(self.choices)),
    )

  def parse(self, text: str) -> str | None:
    """Returns one of `choices`, None unless there is exactly one."""
    line = wrappers.first_line(text)
    if line in self.choices:
      return line
    # Without texts only letters are read.
    texts: Sequence[str] = self.texts or (
      () if self._lettered else self.choices
    )
    letters = (
      [choice.casefold() for choice in self.choices]
      if self._lettered
      else [chr(ord("a") + place) for place in range(len(self.choices))]
    )
    place = choice_reading.find(line, letters, texts)
    return None if place is None else self.choices[place]

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both are the same choice."""
    return self.parse(a) == self.parse(b) is not None


@dataclass(frozen=True)
class ListedChoiceAnswer:
  """One of the choices that the input lists, such as '(a) bank'.

  The choices are in separate lines or in one. This rule compares choices by
  their text; the rule of `for_input` reads answers.
  """

  def for_input(self, input: str) -> AnswerRule:
    """Returns the rule with the choices of the input."""
    listed = choice_reading.listed(input)
    return ChoiceAnswer(listed) if listed else self

  def form(self) -> AnswerForm:
    """Returns how prompts describe the answer."""
    text = "the letter and the text of one choice"
    return AnswerForm(text, " (the letter of one choice)")

  def parse(self, text: str) -> str | None:
    """Returns the first line without its letter, None if it is blank."""
    return choice_reading.without_letters(wrappers.first_line(text)) or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both are the same text up to case and article."""
    left, right = (
      choice_reading.folded(self.parse(text) or "") for text in (a, b)
    )
    return left == right != ""


@dataclass(frozen=True)
class ExpressionAnswer:
  """An arithmetic expression such as '( 84.0 / 2.0 )', equal by its value.

  Values are exact fractions, compared within an absolute `tolerance`. An
  expression without a value (1/0, too large) is not equal to anything.
  """

  tolerance: float = 1e-6

  def form(self) -> AnswerForm:
    """Returns how prompts describe the answer."""
    expression = "an arithmetic expression"
    text = f"the answer as {expression} of the question's numbers"
    return AnswerForm(text, f" ({expression})")

  def parse(self, text: str) -> str | None:
    """Returns the first expression with a value, as written, or None."""
    return arithmetic.find_expression(wrappers.first_line(text))

  def equal(self, a: str, b: str) -> bool:
    """Returns whether both have a value, within the tolerance."""
    left, right = (arithmetic.evaluate(self.parse(x) or "") for x in (a, b))
    if left is None or right is None:
      return False
    return abs(left - right) <= self.tolerance
