"""Checkpoints: state, data position and best metric, visible in one commit."""

import dataclasses
import math
import os
import uuid
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath
from flax import serialization
from orbax.checkpoint import checkpoint_managers

from distill import errors
from distill.checkpoint_formats import loading
from distill.errors import PositiveInt
from distill.training.state import TrainState

STATE, DATA, BEST = "state", "data", "best"
MODES = ("max", "min")
NAME_FORMAT = ocp.path.step.standard_name_format(step_prefix="checkpoint")

_DIFFERENCES_NAMED = 5


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
    errors.require(
      "SAVE_PERIOD", self.period, self.period >= 1, "a number of at least 1"
    )
    errors.require(
      "KEEP_CHECKPOINTS",
      self.keep,
      self.keep is None or self.keep >= 1,
      "a number of at least 1, or None for all",
    )
    errors.require(
      "BEST_MODE", self.best_mode, self.best_mode in MODES, "'max' or 'min'"
    )


@dataclasses.dataclass(frozen=True)
class BestMetric:
  """The best value of a metric up to now.

  Attributes:
    metric: Its name; None keeps no best.
    value: Its best value, or None before the first.
    step: The step of that value; of equal values, the last one.
    evaluated: The last step evaluated, best or not.
    improved: The first step of that value, for PATIENCE.
  """

  metric: str | None = None
  value: float | None = None
  step: int | None = None
  evaluated: int | None = None
  improved: int | None = None

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
    improved = (self.improved if value == old else None) or step
    return BestMetric(metric, value, step, step, improved)


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
  folder = loading.absolute(path)
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

  `close` waits for the last save.

  Raises:
    UserError: On construction, if MODEL_DIR cannot be written to.
  """

  def __init__(
    self, model_dir: str | os.PathLike[str], config: CheckpointConfig
  ) -> None:
    check_writable(model_dir)
    self._latest = checkpoint_managers.LatestN(config.keep)
    self._retention = checkpoint_managers.AnyPreservationPolicy([self._latest])
    self._manager = ocp.CheckpointManager(
      loading.absolute(model_dir),
      item_names=(STATE, DATA, BEST),
      options=ocp.CheckpointManagerOptions(
        step_name_format=NAME_FORMAT,
        preservation_policy=self._retention,
        # What a killed run left half-written; it was never a checkpoint.
        cleanup_tmp_directories=True,
      ),
    )

  def close(self) -> None:
    """Waits for the last save."""
    self._manager.close()

  def newest(self) -> str | None:
    """Waits for a save in progress; returns the newest checkpoint's path."""
    self._manager.wait_until_finished()
    step = self._manager.latest_step()
    if step is None:
      return None
    return str(self._manager.directory / NAME_FORMAT.build_name(step))

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
    # Not Orbax's BestN: it ranks by what was saved with a checkpoint. The
    # evaluation that SIGTERM cut short comes after its checkpoint.
    self._retention.policies = [
      self._latest,
      checkpoint_managers.CustomSteps(
        steps=[] if best.step is None else [best.step]
      ),
    ]
    if step in self._manager.all_steps():
      return
    items = {
      STATE: ocp.args.PyTreeSave(serialization.to_state_dict(state)),
      DATA: ocp.args.JsonSave(position),
      BEST: ocp.args.JsonSave(dataclasses.asdict(best)),
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
    checkpoint = loading.absolute(path)
    state = restore_tree(checkpoint, abstract)
    best = BestMetric(**read_json(checkpoint, BEST))
    return state, read_json(checkpoint, DATA), best


def restore_tree(checkpoint: epath.Path, abstract: Any) -> Any:
  """Returns the part of a checkpoint's state that `abstract` describes.

  Args:
    checkpoint: A `checkpoint_<step>` folder.
    abstract: A `TrainState` of shapes and shardings.

  Raises:
    UserError: The checkpoint holds other names or shapes.
  """
  folder = checkpoint / STATE
  wanted = serialization.to_state_dict(abstract)
  saved = ocp.PyTreeCheckpointHandler().metadata(folder).tree
  _check_shapes(checkpoint, _shapes(wanted), _shapes(saved), set(wanted))
  with ocp.PyTreeCheckpointer() as reader:
    restored = reader.restore(
      folder,
      args=ocp.args.PyTreeRestore(
        wanted,
        restore_args=ocp.checkpoint_utils.construct_restore_args(wanted),
        partial_restore=True,
      ),
    )
  return serialization.from_state_dict(abstract, restored)


def read_json(checkpoint: epath.Path, item: str) -> dict[str, Any]:
  """Returns a checkpoint's item `DATA` or `BEST`."""
  with ocp.Checkpointer(ocp.JsonCheckpointHandler()) as reader:
    return reader.restore(checkpoint / item, args=ocp.args.JsonRestore())


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def _check_shapes(
  checkpoint: epath.Path,
  wanted: Mapping[str, tuple[int, ...]],
  saved: Mapping[str, tuple[int, ...]],
  parts: set[str],
) -> None:
  """Raises UserError that names the first parameters that differ."""
  saved = {k: v for k, v in saved.items() if k.split("/")[0] in parts}
  names = sorted(
    (
      name
      for name in wanted.keys() | saved.keys()
      if wanted.get(name) != saved.get(name)
    ),
    # Parameters first, and of these the ones that are in both.
    key=lambda name: (
      not name.startswith("params/"),
      name not in wanted or name not in saved,
      name,
    ),
  )
  if not names:
    return
  shown = names[:_DIFFERENCES_NAMED]

  def listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shapes.get(name, 'absent')}" for name in shown)

  raise errors.UserError(
    f"The checkpoint '{checkpoint}' is of another model or optimizer: "
    f"{len(names)} arrays differ.",
    expected=listed(wanted),
    found=listed(saved),
    remedy="use the gin file it was trained with, or another MODEL_DIR; "
    "nothing was changed",
  )
