"""Weights of the loss groups, from the macros and from what a task teaches."""

import math

import gin
import seqio

from distill import loss_groups
from distill.data import registration, views
from distill.errors import UserError, require

_VIEWS = {loss_groups.LABEL, loss_groups.RATIONALE}


@gin.register
def loss_group_weights(
  mixture_or_task_name: str,
  alpha: float,
  unlikelihood_weight: float = 0.5,
  module: str | None = None,
) -> tuple[float, ...]:
  """Returns the loss weights of groups none, label, rationale, unlikelihood.

  Label and rationale have α and 1 - α if the task has tokens of both (Hsieh et
  al. 2023, eq. 3, with α the label's share). Otherwise both have 1, a plain
  mean over tokens: fine-tuning, chain of thought, tasks of other libraries. The
  last weight is 0 if the task has no unlikelihood tokens.

  Raises:
    UserError: α is no number from 0 to 1, the unlikelihood's weight is none or
      negative, or nobody registered the name.
  """
  unlikely = unlikelihood_weight
  for macro, value, most in (
    ("ALPHA (or ALPHA_END)", alpha, 1),
    ("UNLIKELIHOOD_WEIGHT", unlikely, math.inf),
  ):
    valid = isinstance(value, int | float) and 0 <= value <= most
    require(macro, value, valid, f"a number from 0 to {most}, such as 0.5")
  groups = _loss_groups(mixture_or_task_name, module)
  pair = (float(alpha), 1.0 - alpha) if groups >= _VIEWS else (1.0, 1.0)
  against = loss_groups.UNLIKELIHOOD in groups
  return (1.0, *pair, float(unlikely) if against else 0.0)


@gin.register
def final_loss_group_weights(
  mixture_or_task_name: str,
  alpha_end: float | None,
  unlikelihood_weight: float = 0.5,
  module: str | None = None,
) -> tuple[float, ...] | None:
  """Returns `loss_group_weights` at the end of α's schedule; None for none."""
  if alpha_end is None:
    return None
  return loss_group_weights(
    mixture_or_task_name, alpha_end, unlikelihood_weight, module
  )


@gin.register
def alpha_per_example(
  wanted: bool, mixture_or_task_name: str, module: str | None = None
) -> bool:
  """Returns whether each example has its own α: never where α is not used.

  Raises:
    UserError: Label and rationale of an example do not come as a pair.
  """
  meet = wanted and _loss_groups(mixture_or_task_name, module) >= _VIEWS
  provider = registration.get_mixture_or_task(mixture_or_task_name, module)
  paired = f"{loss_groups.SECOND}inputs" in provider.output_features
  if meet and not paired:
    raise UserError(
      "ALPHA_PER_EXAMPLE needs both views of an example in one batch.",
      expected="MIXTURE_OR_TASK_NAME = '<data>_step_by_step_paired'",
      found=mixture_or_task_name,
    )
  return meet


def _loss_groups(name: str, module: str | None) -> set[int]:
  """Returns the loss groups of a task's or mixture's tokens."""
  task = registration.get_mixture_or_task(name, module)
  return {
    step.group
    for subtask in seqio.get_subtasks(task)
    for step in subtask.preprocessors
    if isinstance(step, views.AddLossGroup)
  }
