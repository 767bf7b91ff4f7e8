"""One line on the terminal: step, loss, tokens per second, time to go."""

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

# In place on a terminal, at most so often; elsewhere a line each tenth of the
# run, and at least one in so many seconds.
_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 300.0
_LINES = 10


class Progress:
  """Shows how far a run is."""

  def __init__(
    self, first_step: int, total_steps: int, stream: TextIO | None
  ) -> None:
    """Starts at `first_step`; without a stream it only measures the speed."""
    self._stream = stream
    self._in_place = stream is not None and stream.isatty()
    self._total = total_steps
    self._every = max(1, (total_steps - first_step) // _LINES)
    self._drawn = False
    self._shown_at = -float("inf")
    # The clock starts with the first update: before it the device warms up.
    self._begin: float | None = None
    self._steps = 0
    self._tokens = 0.0

  def update(self, step: int, loss: float, tokens: float) -> None:
    """Counts a step of so many tokens and shows it if it is time to."""
    now = time.monotonic()
    if self._begin is None:
      self._begin = now
    else:
      self._steps += 1
      self._tokens += tokens
    if self._is_due(step, now):
      self._shown_at = now
      self._show(
        f"step {step}/{self._total}  loss {loss:.4f}  "
        f"{self.tokens_per_second():,.0f} tokens/s  "
        f"ETA {_hours_minutes(self._seconds_to_go(step))}"
      )

  def tokens_per_second(self) -> float:
    """Returns the mean speed since the first step, without pauses."""
    return self._tokens / self._elapsed() if self._steps else 0.0

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Takes the time within off the speed: evaluating, saving."""
    begin = time.monotonic()
    yield
    if self._begin is not None:
      self._begin += time.monotonic() - begin

  def say(self, message: str) -> None:
    """Prints a line that stays."""
    # The line that is rewritten in place stays above it.
    self._write(f"\n{message}\n" if self._drawn else f"{message}\n")
    self._drawn = False

  def _is_due(self, step: int, now: float) -> bool:
    if self._in_place:
      return step == self._total or now - self._shown_at >= _REDRAW_SECONDS
    return (
      step in (1, self._total)
      or step % self._every == 0
      or now - self._shown_at >= _LINE_SECONDS
    )

  def _show(self, text: str) -> None:
    if self._in_place:
      # Back to the margin, and erase what a longer line left.
      self._write(f"\r{text}\x1b[K")
      self._drawn = True
    else:
      self.say(text)

  def _write(self, text: str) -> None:
    if self._stream is not None:
      self._stream.write(text)
      self._stream.flush()

  def _elapsed(self) -> float:
    begin = time.monotonic() if self._begin is None else self._begin
    return max(time.monotonic() - begin, 1e-6)

  def _seconds_to_go(self, step: int) -> float | None:
    if not self._steps:
      return None
    return self._elapsed() / self._steps * (self._total - step)


def _hours_minutes(seconds: float | None) -> str:
  """Returns hours:minutes, rounded up, or '?' where it is not known yet."""
  if seconds is None:
    return "?"
  minutes = int(-(-seconds // 60))
  return f"{minutes // 60}:{minutes % 60:02d}"
