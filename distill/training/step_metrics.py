"""Reads the metrics of a step once the next one is in flight."""

import math
from collections import defaultdict

from distill.training import step as step_lib
from distill.training.metric_logging import MetricLogger
from distill.training.progress import Progress


class NonFiniteLossError(Exception):
  """The loss or the gradient of a step is infinite or not a number."""

  def __init__(self, step: int, summary: dict[str, float]) -> None:
    super().__init__(f"step {step}")
    self.step = step
    self.summary = summary


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
