"""Weights of the loss groups, from the macros and from what a task teaches."""

import math
from typing import Any

import gin
import seqio

from distill import loss_groups
from distill.data import prefixes, registration, views
from distill.errors import UserError, require, unknown

_OF_ALPHA = {loss_groups.LABEL, loss_groups.RATIONALE}


@gin.register
def loss_group_weights(
  mixture_or_task_name: str,
  alpha: float,
  module: str | None = None,
  **weights: float,
) -> tuple[float, ...]:
  """Returns the weight of each loss group by its number.

  Label and rationale have α and 1 - α if the task has tokens of both (Hsieh et
  al. 2023, eq. 3, with α the label's share). Otherwise both have 1, a plain
  mean over tokens: fine-tuning, chain of thought, tasks of other libraries. The
  weight of another group is 0 if the task has no tokens of it.

  Args:
    mixture_or_task_name: The task or mixture.
    alpha: α.
    module: The module that registers the name.
    **weights: `<group>_weight` for each group with a weight of its own. The
      defaults are those of `loss_groups`.

  Raises:
    UserError: α is not a number from 0 to 1, another weight is not a number of
      at least 0, or no module registered the name.
  """
  _check("ALPHA (or ALPHA_END)", alpha, most=1)
  groups = _loss_groups(mixture_or_task_name, module)
  found = list(loss_groups.PLAIN)
  if groups >= _OF_ALPHA:
    found[loss_groups.LABEL] = float(alpha)
    found[loss_groups.RATIONALE] = 1.0 - alpha
  own = {n: g for n, g in loss_groups.GROUPS.items() if g.weight is not None}
  names = {f"{group.name}_weight": number for number, group in own.items()}
  for name in weights.keys() - names.keys():
    raise unknown("weight of a loss group", name, names)
  for name, number in names.items():
    weight: Any = weights.get(name, own[number].weight)
    _check(name.upper(), weight)
    found[number] = float(weight) if number in groups else 0.0
  return tuple(found)


def _check(macro: str, value: object, most: float = math.inf) -> None:
  valid = isinstance(value, int | float) and 0 <= value <= most
  require(macro, value, valid, f"a number from 0 to {most}, such as 0.5")


@gin.register
def final_loss_group_weights(
  mixture_or_task_name: str,
  alpha_end: float | None,
  module: str | None = None,
  **weights: float,
) -> tuple[float, ...] | None:
  """Returns `loss_group_weights` at the end of α's schedule; None for none."""
  if alpha_end is None:
    return None
  return loss_group_weights(mixture_or_task_name, alpha_end, module, **weights)


@gin.register
def alpha_per_example(
  wanted: bool, mixture_or_task_name: str, module: str | None = None
) -> bool:
  """Returns whether each example has its own α: never where α is not used.

  Raises:
    UserError: Label and rationale of an example do not come as a pair of rows.
  """
  meet = wanted and _loss_groups(mixture_or_task_name, module) >= _OF_ALPHA
  provider = registration.get_mixture_or_task(mixture_or_task_name, module)
  paired = f"{loss_groups.SECOND}inputs" in provider.output_features
  if meet and not paired:
    raise UserError(
      "ALPHA_PER_EXAMPLE needs both views of an example in one batch.",
      expected="MIXTURE_OR_TASK_NAME = '<data>_step_by_step_paired'",
      found=mixture_or_task_name,
    )
  if meet and prefixes.on_decoder():
    raise UserError(
      "ALPHA_PER_EXAMPLE needs label and rationale in two rows.",
      expected="PREFIX_SIDE = 'input'",
      found="PREFIX_SIDE = 'decoder', which puts both into one row",
      remedy="set one of the two macros to its default",
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
