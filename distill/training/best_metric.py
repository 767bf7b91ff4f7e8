"""Which evaluation was the best; it travels in every checkpoint."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from distill import errors

MODES = ("max", "min")


@dataclasses.dataclass(frozen=True)
class BestMetric:
  """The best value of a metric up to now.

  Attributes:
    metric: Its name; None keeps no best.
    value: Its best value, or None before the first.
    step: The step of that value.
    evaluated: The last step evaluated, best or not.
  """

  metric: str | None = None
  value: float | None = None
  step: int | None = None
  evaluated: int | None = None

  def after(
    self, step: int, metrics: Mapping[str, float], metric: str | None, mode: str
  ) -> "BestMetric":
    """Returns the record after an evaluation.

    Args:
      step: The step evaluated.
      metrics: Its metrics, named `task/metric`.
      metric: The name to go by: a full one, or one metric of every task, of
        which the mean is taken; None keeps no best.
      mode: 'max' or 'min'. A value as good as the best replaces it.

    Raises:
      UserError: No metric has that name.
    """
    if metric is None:
      return BestMetric(evaluated=step)
    value = _mean_of(metrics, metric)
    old = self.value if self.metric == metric else None
    worse = old is not None and (value < old if mode == "max" else value > old)
    if worse or not math.isfinite(value):
      kept = self if self.metric == metric else BestMetric(metric)
      return dataclasses.replace(kept, evaluated=step)
    return BestMetric(metric, value, step, step)

  def to_json(self) -> dict[str, Any]:
    """Returns a JSON value for the checkpoint."""
    return dataclasses.asdict(self)


def _mean_of(metrics: Mapping[str, float], name: str) -> float:
  values = [
    value
    for key, value in metrics.items()
    if key == name or key.endswith(f"/{name}")
  ]
  if not values:
    raise errors.UserError(
      f"The evaluation has no metric '{name}' to choose the best by.",
      expected="one of " + ", ".join(sorted(metrics)),
      found=f"BEST_METRIC = '{name}'",
      remedy="correct BEST_METRIC, or set it to None",
    )
  return sum(values) / len(values)
