"""A run whose answers cannot be read: said early, and no success."""

import sys

from distill.answers import finish_reasons
from distill.errors import UserError
from distill.teacher.interface import printable

# If less than a tenth of the first answers can be read, the form is at fault.
FIRST = 50
_LEAST_SHARE = 0.1
_SHOWN = 600


class UnreadAnswers:
  """Counts how many of a run's first answers could be read."""

  def __init__(self, form: str, remedy: str, allowed: bool = False) -> None:
    """Starts at none.

    Args:
      form: The form that the answers should have.
      remedy: What helps where they have another.
      allowed: Whether the run may go on to its end all the same.
    """
    self._form = form
    self._remedy = remedy
    self._allowed = allowed
    self._answers = self._read = 0
    self._example = ""

  def add(self, text: str, answer: str, finish_reason: str) -> None:
    """Counts an answer; says at once if the first ones cannot be read.

    Args:
      text: The raw completion.
      answer: What could be read of it, '' if nothing.
      finish_reason: Why it ended.
    """
    if self._answers == FIRST:
      return
    self._answers += 1
    self._read += bool(answer)
    if not answer and not self._example:
      self._example = printable(text, _SHOWN)
      if not finish_reasons.is_whole(finish_reason):
        self._example += f" (finish_reason {printable(finish_reason)})"
    if self._answers == FIRST and self._too_few:
      self._say()

  def check(self) -> None:
    """Ends the counting.

    Raises:
      UserError: Too few could be read, and that was not allowed.
    """
    if not self._too_few:
      return
    if not self._allowed:
      raise self._error()
    self._say()

  @property
  def _too_few(self) -> bool:
    return self._read < _LEAST_SHARE * self._answers

  def _say(self) -> None:
    print(f"warning: {self._error()}", file=sys.stderr, flush=True)

  def _error(self) -> UserError:
    return UserError(
      f"{self._read} of the first {self._answers} answers could be read.",
      expected=self._form,
      found=self._example,
      remedy=self._remedy,
    )
