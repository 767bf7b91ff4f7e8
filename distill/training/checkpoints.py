"""Checkpoints: state, data position and best metric, visible in one commit."""

import dataclasses
import os
import types
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orbax.checkpoint as ocp
from flax import serialization
from orbax.checkpoint import checkpoint_managers

from distill import errors
from distill.checkpoint_formats import opening
from distill.errors import PositiveInt
from distill.training import best_metric, restoring
from distill.training.best_metric import BestMetric
from distill.training.state import TrainState


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
  """When to save and what to keep.

  Attributes:
    period: Steps between checkpoints; the last step and every new best are
      saved too.
    keep: How many of the newest are kept, beside the best; None keeps all.
    best_metric: The validation metric of the best: 'task/metric', or 'metric'
      for the mean over tasks; None keeps no best.
    best_mode: 'max' or 'min'.
  """

  period: PositiveInt = 1000
  keep: PositiveInt | None = 3
  best_metric: str | None = None
  best_mode: str = "max"

  def __post_init__(self) -> None:
    wrong = {
      "SAVE_PERIOD": (self.period < 1, self.period, "at least 1"),
      "KEEP_CHECKPOINTS": (
        self.keep is not None and self.keep < 1,
        self.keep,
        "at least 1, or None for all",
      ),
      "BEST_MODE": (
        self.best_mode not in best_metric.MODES,
        self.best_mode,
        "'max' or 'min'",
      ),
    }
    for macro, (is_wrong, found, expected) in wrong.items():
      if is_wrong:
        raise errors.UserError(
          f"{macro} has no meaning.",
          expected=expected,
          found=repr(found),
          remedy=f"set {macro}",
        )


def check_writable(
  path: str | os.PathLike[str], macro: str = "MODEL_DIR"
) -> None:
  """Creates the folder that a macro names where it is missing.

  Raises:
    UserError: It is no path, or cannot be created or written to.
  """
  if not isinstance(path, str | os.PathLike):
    raise errors.UserError(
      f"{macro} is not a path.",
      expected="text",
      found=repr(path),
      remedy=f"quote it twice: --gin.{macro}=\"'{path}'\"",
    )
  folder = opening.absolute(path)
  probe = folder / f".writable-{uuid.uuid4().hex}"
  try:
    folder.mkdir(parents=True, exist_ok=True)
    probe.write_text("")
    probe.unlink()
  except OSError as error:
    raise errors.UserError(
      f"{macro} '{os.fspath(path)}' cannot be written to.",
      expected="a folder that can be created and written",
      found=str(error),
      remedy=f"set {macro} to another folder, or change its permissions",
    ) from error


class Checkpoints:
  """The checkpoints of one MODEL_DIR, saved asynchronously.

  A context manager, which waits for the last save.

  Raises:
    UserError: On construction, if MODEL_DIR cannot be written to.
  """

  def __init__(
    self, model_dir: str | os.PathLike[str], config: CheckpointConfig
  ) -> None:
    check_writable(model_dir)
    self._retention = _LatestAndBest(config.keep)
    self._manager = ocp.CheckpointManager(
      opening.absolute(model_dir),
      item_names=(restoring.STATE, restoring.DATA, restoring.BEST),
      options=ocp.CheckpointManagerOptions(
        step_name_format=restoring.NAME_FORMAT,
        preservation_policy=self._retention,
        # What a killed run left half-written; it was never a checkpoint.
        cleanup_tmp_directories=True,
      ),
    )

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: types.TracebackType | None,
  ) -> None:
    self._manager.close()

  def newest(self) -> str | None:
    """Waits for a save in progress; returns the newest checkpoint's path."""
    self._manager.wait_until_finished()
    step = self._manager.latest_step()
    if step is None:
      return None
    return str(self._manager.directory / restoring.NAME_FORMAT.build_name(step))

  def save(
    self, step: int, state: TrainState, position: Any, best: BestMetric
  ) -> None:
    """Begins to save; a step that is there already is left as it is.

    All three become visible together, by one rename. When this returns, the
    state may be donated.

    Args:
      step: The state's step, as a number.
      state: After `step` steps.
      position: The place in the data after that step's batch, as JSON.
      best: The evaluations up to this step.
    """
    self._retention.best_step = best.step
    if step in self._manager.all_steps():
      return
    items = {
      restoring.STATE: ocp.args.PyTreeSave(serialization.to_state_dict(state)),
      restoring.DATA: ocp.args.JsonSave(position),
      restoring.BEST: ocp.args.JsonSave(best.to_json()),
    }
    self._manager.save(step, args=ocp.args.Composite(**items), force=True)

  def restore(
    self, abstract: TrainState
  ) -> tuple[TrainState, Mapping[str, Any], BestMetric] | None:
    """Returns state, data position and best metric of the newest checkpoint.

    None if there is no checkpoint yet.

    Raises:
      UserError: The checkpoint is of another model or optimizer.
    """
    path = self.newest()
    if path is None:
      return None
    checkpoint = opening.absolute(path)
    state = restoring.restore_tree(checkpoint, abstract)
    best = BestMetric(**restoring.read_json(checkpoint, restoring.BEST))
    return state, restoring.read_json(checkpoint, restoring.DATA), best


class _LatestAndBest(checkpoint_managers.PreservationPolicy):
  """Keeps the newest `keep` checkpoints and the one at `best_step`."""

  def __init__(self, keep: int | None) -> None:
    self._latest = checkpoint_managers.LatestN(keep)
    self.best_step: int | None = None

  def should_preserve(
    self,
    checkpoints: Sequence[Any],
    *,
    context: checkpoint_managers.PreservationContext,
  ) -> list[bool]:
    """Returns for each checkpoint, oldest first, whether it stays."""
    latest = self._latest.should_preserve(checkpoints, context=context)
    return [
      kept or checkpoint.step == self.best_step
      for kept, checkpoint in zip(latest, checkpoints, strict=True)
    ]
