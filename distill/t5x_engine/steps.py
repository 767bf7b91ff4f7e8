"""Where a fine-tuning by T5X starts, and the step at which it ends.

T5X goes on counting from the step of the initial checkpoint, and its own
`relative_steps` counts from wherever a run was resumed. Here the name of the
initial checkpoint says where fine-tuning began, so that a resumed run ends at
the same step.
"""

import logging
import re
from collections.abc import Sequence

import gin

from distill import errors


@gin.register
def initial_checkpoint(
  path: str | Sequence[str] | None, allow_missing: str | None
) -> str | Sequence[str]:
  """Returns the one path that T5X is to restore; [] for random weights.

  Args:
    path: The macro INITIAL_CHECKPOINT_PATH; a list of one is that one.
    allow_missing: The macro ALLOW_MISSING.

  Raises:
    UserError: ALLOW_MISSING is set: T5X restores all parameters or fails.
  """
  if allow_missing is not None:
    raise errors.UserError(
      "T5X cannot leave some parameters of a checkpoint random.",
      expected="ALLOW_MISSING = None",
      found=repr(allow_missing),
      remedy="train with `distill.train`; T5X's own way is"
      " RestoreCheckpointConfig.assignment_map and .fallback_to_scratch",
    )
  if not isinstance(path, str) and path and len(path) == 1:
    return path[0]
  return path or []


@gin.register
def first_step(relative: bool, path: str | Sequence[str]) -> int:
  """Returns the step that counts as 0: that of the initial checkpoint, or 0.

  Args:
    relative: The macro RELATIVE_STEPS; False returns 0.
    path: `…/checkpoint_<step>`, as T5X names them; [] for random weights.

  Raises:
    UserError: The path does not end so.
  """
  if not relative or not path:
    return 0
  if found := re.search(r"checkpoint_(\d+)/*$", str(path)):
    return int(found[1])
  raise errors.UserError(
    "The initial checkpoint's name does not say its step.",
    expected="INITIAL_CHECKPOINT_PATH = '…/checkpoint_<step>'",
    found=str(path),
    remedy="name the folder of one step; or set RELATIVE_STEPS = False and"
    " TRAIN_STEPS to the last step, pretraining included",
  )


@gin.register
def total_steps(train_steps: int, relative: bool, first: int) -> int:
  """Returns the last step in T5X's count, and logs which count it is.

  Args:
    train_steps: The macro TRAIN_STEPS.
    relative: The macro RELATIVE_STEPS.
    first: From `first_step`.
  """
  logging.getLogger("absl").info(
    "TRAIN_STEPS = %d counts %s: training ends at T5X's step %d.",
    train_steps,
    "from the start of fine-tuning" if relative else "pretraining's steps too",
    first + train_steps,
  )
  return first + train_steps
