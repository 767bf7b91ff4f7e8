"""Where a run starts: its newest checkpoint, an initial one, or random."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import optax
from flax import traverse_util

from distill.checkpoint_formats import loading, opening
from distill.data.pipeline import TrainBatches
from distill.training import state as state_lib
from distill.training import step as step_lib
from distill.training.best_metric import BestMetric
from distill.training.checkpoints import Checkpoints
from distill.training.mesh import Partitioner
from distill.training.state import TrainState


class Start:
  """What is known of a run before its first step.

  Attributes:
    abstract: The train state's shapes, types and shardings.
    dropout_key: The run's key of dropout, on every device.
    notes: What the user is to know of the start, once `state` has found it.
  """

  def __init__(
    self,
    model: Any,
    optimizer: optax.GradientTransformation,
    partitioner: Partitioner,
    batch_shapes: Mapping[str, Sequence[int]],
    random_seed: int,
  ) -> None:
    self._model = model
    self._optimizer = optimizer
    self._partitioner = partitioner
    self._shapes = batch_shapes
    self.notes: list[str] = []
    self.abstract = state_lib.abstract_state(
      model, optimizer, partitioner, batch_shapes
    )
    self._weights_key, self.dropout_key = jax.jit(
      lambda: tuple(jax.random.split(jax.random.key(random_seed))),
      out_shardings=partitioner.replicated,
    )()

  def state(
    self,
    checkpoints: Checkpoints,
    batches: TrainBatches,
    initial_checkpoint_path: str | None,
    relative_steps: bool = True,
    allow_missing: str | None = None,
  ) -> tuple[TrainState, BestMetric]:
    """Returns the state to go on from; `batches` is moved to its place.

    Args:
      checkpoints: MODEL_DIR's; the newest one is resumed, if there is one.
      batches: The training data, not yet read.
      initial_checkpoint_path: Parameters of a run that has no checkpoint yet;
        None is random ones.
      relative_steps: Whether steps are counted from the initial checkpoint;
        if not, they go on from its own.
      allow_missing: Regular expression of the parameters that stay random
        where the initial checkpoint lacks them.

    Raises:
      UserError: The checkpoint is absent, damaged or of another model.
    """
    restored = checkpoints.restore(self.abstract)
    if restored:
      state, position, best = restored
      batches.restore(position)
      return state, best
    if initial_checkpoint_path:
      params, step = self._initial(
        initial_checkpoint_path, relative_steps, allow_missing
      )
    else:
      params, step = self._random(), 0
    state = state_lib.start(params, self._optimizer, self.abstract, step)
    return state, BestMetric()

  def compile(
    self, train_step: step_lib.TrainStep
  ) -> tuple[step_lib.TrainStep, float]:
    """Returns the compiled step and the seconds it took."""
    return step_lib.compile_step(
      train_step,
      self._partitioner,
      self.abstract,
      self._partitioner.abstract_batch(self._shapes),
      self.dropout_key,
    )

  def _random(self) -> Any:
    return state_lib.random_params(
      self._model,
      self._partitioner,
      self._shapes,
      self.abstract,
      self._weights_key,
    )

  def _initial(
    self, path: str, relative_steps: bool, allow_missing: str | None
  ) -> tuple[Any, int]:
    """Returns an initial checkpoint's parameters, and the first step."""
    checkpoint = opening.open_checkpoint(path)
    params, missing = loading.load_params(
      checkpoint,
      self.abstract.params,
      getattr(self._model.module, "config", None),
      allow_missing,
    )
    if missing:
      params = self._completed(params)
      self.notes.append("random, by ALLOW_MISSING: " + ", ".join(missing))
    known = checkpoint.step is not None
    theirs = f"step {checkpoint.step:,}" if known else "no known step"
    self.notes.append(
      f"from {checkpoint.path} ({checkpoint.format}), {theirs}: steps are "
      + (
        "counted from here (RELATIVE_STEPS = True)"
        if relative_steps
        else "counted on from there (RELATIVE_STEPS = False)"
      )
    )
    return params, 0 if relative_steps else checkpoint.step or 0

  def _completed(self, params: Any) -> Any:
    """Returns the parameters with random ones where they are None."""
    random = traverse_util.flatten_dict(self._random())
    read = traverse_util.flatten_dict(params)
    return traverse_util.unflatten_dict(
      {
        path: random[path] if array is None else array
        for path, array in read.items()
      }
    )
