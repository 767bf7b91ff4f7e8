"""One line on the terminal: step, loss, tokens per second, time to go."""

import contextlib
import time
from collections.abc import Iterator
from typing import TextIO

# In place on a terminal, at most so often; elsewhere a line each tenth of the
# run, and at least one per interval.
_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 300.0
_LINES = 10


class Progress:
  """Shows how far a run is."""

  def __init__(
    self,
    first_step: int,
    total_steps: int,
    stream: TextIO | None,
    eval_period: int = 0,
  ) -> None:
    """Starts at `first_step`.

    Args:
      first_step: The step that the run starts or resumes from.
      total_steps: The step at which it ends.
      stream: Where lines go; None only measures the speed.
      eval_period: Steps between evaluations; the last step has one too. 0 has
        none.
    """
    self._eval_period = eval_period
    self._evaluation: float | None = None  # seconds that the last one took
    self._losses: list[float] = []  # since the line before
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
    """Counts a step and its tokens, and shows it if it is time to.

    The loss shown is the mean over the steps since the line before.
    """
    now = time.monotonic()
    self._losses.append(loss)
    if self._begin is None:
      self._begin = now
    else:
      self._steps += 1
      self._tokens += tokens
    if self._is_due(step, now):
      self._shown_at = now
      mean = sum(self._losses) / len(self._losses)
      self._losses.clear()
      self._show(
        f"step {step}/{self._total}  loss {mean:.4f}  "
        f"{self.tokens_per_second():,.0f} tokens/s  {self._eta(step)}"
      )

  def tokens_per_second(self) -> float:
    """Returns the mean speed since the first step, without pauses."""
    return self._tokens / self._elapsed() if self._steps else 0.0

  @contextlib.contextmanager
  def paused(self, evaluating: bool = False) -> Iterator[None]:
    """Takes the time within off the speed: evaluating, saving."""
    begin = time.monotonic()
    yield
    seconds = time.monotonic() - begin
    if evaluating:
      self._evaluation = seconds
    if self._begin is not None:
      self._begin += seconds

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

  def _eta(self, step: int) -> str:
    """Returns the time left by what steps and evaluations have taken.

    Before the first evaluation it names those that are left, as what they
    take is not known.
    """
    if not self._steps:
      return "ETA ?"
    seconds = self._elapsed() / self._steps * (self._total - step)
    left = self._evaluations_left(step)
    unknown = ""
    if left and self._evaluation is None:
      unknown = f" + {left} evaluation" + ("s" if left > 1 else "")
    else:
      seconds += left * (self._evaluation or 0.0)
    return f"ETA {_hours_minutes(seconds)}{unknown}"

  def _evaluations_left(self, step: int) -> int:
    period = self._eval_period
    if not period:
      return 0
    # The one of `step` itself comes after its line, the last one at the end.
    return (self._total - 1) // period - (step - 1) // period + 1


def _hours_minutes(seconds: float) -> str:
  """Returns hours:minutes, rounded up."""
  minutes = int(-(-seconds // 60))
  return f"{minutes // 60}:{minutes % 60:02d}"
