"""Metrics of a run: read from the device, logged to files, shown on stderr.

A step's metrics go through `StepMetrics` to `MetricLogger` (JSON lines,
TensorBoard and other writers) and to `Progress` (the line on the terminal).
"""

import contextlib
import json
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import jax
import tensorflow as tf
from clu import metric_writers

from distill import errors
from distill.training import step as step_lib

FILE_NAME = "metrics.jsonl"

# A terminal's line is redrawn in place, at most this often. Elsewhere there is
# a line for each tenth of the run, and at least one per interval.
_REDRAW_SECONDS = 0.2
_LINE_SECONDS = 300.0
_LINES = 10


class NonFiniteLossError(Exception):
  """The loss or the gradient of a step is infinite or not a number.

  Attributes:
    step: The step.
    summary: Its metrics.
  """

  def __init__(self, step: int, summary: dict[str, float]) -> None:
    super().__init__(f"step {step}")
    self.step = step
    self.summary = summary


class ScalarWriter(metric_writers.MetricWriter):
  """A base of writers that write scalars and ignore everything else."""

  def _ignore(self, *values: Any, **options: Any) -> None:
    """Writes nothing."""

  write_summaries = write_images = write_videos = write_audios = _ignore
  write_texts = write_histograms = write_pointcloud = write_hparams = _ignore
  flush = close = _ignore


class JsonLinesWriter(ScalarWriter):
  """Writes `{"step": …, name: value, …}`, one line per step.

  Attributes:
    last: The newest line, of this process or of the run that it resumes; {} if
      there is none.
  """

  def __init__(self, path: str, last_step: int) -> None:
    """Opens the file and drops its lines after `last_step`.

    The dropped steps were taken after the last checkpoint by a run that was
    killed. The resumed run takes them again.
    """
    self.last: Mapping[str, float] = {}
    if tf.io.gfile.exists(path):
      self.last = _drop_after(path, last_step)
    self._file = tf.io.gfile.GFile(path, "a")

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes a line to the disk, so that a kill does not lose it."""
    self.last = {"step": step, **scalars}
    self._file.write(json.dumps(self.last) + "\n")
    self._file.flush()

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


def _drop_after(path: str, last_step: int) -> dict[str, float]:
  """Rewrites a file of JSON lines without later steps or a torn last line.

  Returns:
    The last line that stays, {} if none does.
  """
  with tf.io.gfile.GFile(path) as file:
    lines = file.read().splitlines(keepends=True)
  kept = [
    line
    for line in lines
    if line.endswith("\n") and json.loads(line)["step"] <= last_step
  ]
  errors.write_whole(path, "".join(kept))
  return json.loads(kept[-1]) if kept else {}


class MetricLogger:
  """Writes scalars to `folder`/metrics.jsonl, TensorBoard and other writers.

  Only process 0 writes.

  Attributes:
    last: The newest line of metrics.jsonl, which may be of the run that is
      resumed; {} if there is none.
  """

  def __init__(
    self,
    folder: str,
    last_step: int,
    shared: metric_writers.MetricWriter | None = None,
  ) -> None:
    """Opens the files.

    Args:
      folder: The folder of both files.
      last_step: Lines of later steps are dropped.
      shared: A writer that several loggers share and that stays open. The
        names of scalars start with the folder's name: `train/loss`.
    """
    self._shared = shared
    self._prefix = os.path.basename(folder)
    self._lines: JsonLinesWriter | None = None
    self._files = metric_writers.MultiWriter([])
    if jax.process_index() == 0:
      tf.io.gfile.makedirs(folder)
      self._lines = JsonLinesWriter(os.path.join(folder, FILE_NAME), last_step)
      self._files = metric_writers.MultiWriter(
        [self._lines, metric_writers.SummaryWriter(folder)]
      )

  @property
  def last(self) -> Mapping[str, float]:
    """The newest line."""
    return self._lines.last if self._lines else {}

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes one step's scalars."""
    self._files.write_scalars(step, scalars)
    if self._shared is not None:
      named = {f"{self._prefix}/{name}": x for name, x in scalars.items()}
      self._shared.write_scalars(step, named)

  def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
    """Writes texts in Markdown, which TensorBoard shows under "Text"."""
    self._files.write_texts(step, texts)
    if self._shared is not None:
      named = {f"{self._prefix}/{name}": x for name, x in texts.items()}
      self._shared.write_texts(step, named)

  def close(self) -> None:
    """Flushes TensorBoard's events and closes both files."""
    self._files.close()


class Progress:
  """Shows the step, the loss, the speed and the time left of a run."""

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
    """Excludes the time within from the speed: evaluating, saving."""
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
  """Returns '5h03m', or '18m' below an hour, rounded up."""
  hours, minutes = divmod(int(-(-seconds // 60)), 60)
  return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m"


class StepMetrics:
  """Holds back one step's metrics, so that the device never waits for us.

  A line is logged at each multiple of `period` and by `flush`: where the run
  saves, evaluates or ends. So a resumed run knows the total of target tokens.
  Its numbers are means over the steps since the line before.
  """

  def __init__(
    self, logger: MetricLogger, progress: Progress, period: int
  ) -> None:
    self._logger = logger
    self._progress = progress
    self._period = period
    self._target_tokens = logger.last.get("target_tokens_total", 0)
    self._pending: tuple[int, step_lib.Metrics] | None = None
    self._sums: dict[str, float] = defaultdict(float)
    self._steps = 0

  def push(self, step: int, metrics: step_lib.Metrics) -> None:
    """Takes a dispatched step's metrics and reads those of the one before.

    Raises:
      NonFiniteLossError: On reading.
    """
    before, self._pending = self._pending, (step, metrics)
    if before:
      self._read(*before, log=before[0] % self._period == 0)

  def flush(self) -> None:
    """Reads what is pending, waiting for its step to end.

    Raises:
      NonFiniteLossError: On reading.
    """
    before, self._pending = self._pending, None
    if before:
      self._read(*before, log=True)

  def _read(self, step: int, metrics: step_lib.Metrics, log: bool) -> None:
    sums = step_lib.read(metrics)
    if not math.isfinite(sums["loss"] + sums["grad_norm"]):
      raise NonFiniteLossError(step, step_lib.summarize(sums))
    tokens = sums["input_tokens"] + sums["target_tokens"]
    self._progress.update(step, sums["loss"], tokens)
    self._target_tokens += int(sums["target_tokens"])
    for name, value in sums.items():
      self._sums[name] += value
    self._steps += 1
    if log:
      summary = step_lib.summarize(self._sums, self._steps)
      totals = {
        "tokens_per_second": self._progress.tokens_per_second(),
        "target_tokens_total": self._target_tokens,
      }
      self._logger.write(step, summary | totals)
      self._sums.clear()
      self._steps = 0
