"""The parse rate: ends a run whose answers cannot be parsed.

The first answers decide, so that the user is warned early.
"""

import sys

from distill.answers import finish_reasons
from distill.errors import UserError, printable

# If less than a tenth of the first answers parse, their form is wrong.
_FIRST = 50
_LEAST_SHARE = 0.1
_SHOWN = 600


class ParseRate:
  """Counts how many of the first answers of a run could be parsed."""

  def __init__(self, form: str, remedy: str, allowed: bool = False) -> None:
    """Starts at none.

    Args:
      form: The form that the answers should have.
      remedy: What helps where they have another form.
      allowed: Whether a low rate is only a warning.
    """
    self._form = form
    self._remedy = remedy
    self._allowed = allowed
    self._answers = self._parsed = 0
    self._example = ""

  def add(self, text: str, answer: str, finish_reason: str) -> None:
    """Counts an answer, and warns once if the rate of the first ones is low.

    Args:
      text: The raw completion.
      answer: The parsed answer, '' if there is none.
      finish_reason: Why the completion ended.
    """
    if self._answers == _FIRST:
      return
    self._answers += 1
    self._parsed += bool(answer)
    if not answer and not self._example:
      self._example = printable(text, _SHOWN)
      if not finish_reasons.is_whole(finish_reason):
        self._example += f" (finish_reason {printable(finish_reason)})"
    if self._answers == _FIRST and self._is_low:
      self._warn()

  def check(self) -> None:
    """Ends the count.

    Raises:
      UserError: The rate is low, and that is not allowed.
    """
    if self._is_low and not self._allowed:
      raise self._error()
    if self._is_low:
      self._warn()

  @property
  def _is_low(self) -> bool:
    return self._parsed < _LEAST_SHARE * self._answers

  def _warn(self) -> None:
    print(f"warning: {self._error()}", file=sys.stderr, flush=True)

  def _error(self) -> UserError:
    return UserError(
      f"{self._parsed} of the first {self._answers} answers could be read.",
      expected=self._form,
      found=self._example,
      remedy=self._remedy,
    )
