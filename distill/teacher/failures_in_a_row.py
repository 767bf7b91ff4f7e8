"""When failures show that a server can answer no request at all."""

import math
import re
import time

from distill.teacher.interface import AskingError

MOST = 10
_COUNTED = ("refused", "empty", "malformed", "too_large", "timeout")
# Servers put a request's number, a time or a length into their messages.
_NUMBERED = re.compile(r"\w*\d\w*")


class FailuresInARow:
  """Counts equal failures with no success between them."""

  def __init__(self) -> None:
    self._last: tuple[str, str] | None = None
    self._count = 0
    self._timed_out = False
    self._last_success = -math.inf

  def end(self) -> None:
    """Notes a success."""
    self._last, self._count = None, 0
    self._last_success = time.monotonic()

  def is_first_timeout(self) -> bool:
    """Returns True once: at the first call."""
    first, self._timed_out = not self._timed_out, True
    return first

  def add(
    self, error: AskingError, sent: float, served: bool
  ) -> AskingError | None:
    """Returns why asking must stop after one more failure, None to go on.

    Args:
      error: The failure.
      sent: When its request was sent, by the monotonic clock. One that was
        sent before the last success does not count.
      served: Whether the server is known to answer other requests. Then only
        silence stops it.
    """
    if error.kind not in _COUNTED or sent < self._last_success:
      return None
    this = error.kind, _NUMBERED.sub("#", error.detail)
    self._count = self._count + 1 if this == self._last else 1
    self._last = this
    if self._count < MOST or (served and error.kind != "timeout"):
      return None
    return AskingError(
      error.kind, f"{MOST} requests in a row, the last: {error.detail}", False
    )
