"""The train state: shapes, random or loaded parameters, optimizer's state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import traverse_util

from distill.checkpoint_formats import loading
from distill.training import random_weights
from distill.training.mesh import Partitioner


class TrainState(NamedTuple):
  """State after `step` steps.

  Attributes:
    step: int32 scalar.
    params: The model's parameters, unboxed.
    opt_state: The optax optimizer's state.
  """

  step: Any
  params: Any
  opt_state: Any


def abstract_state(
  model: Any,
  optimizer: optax.GradientTransformation,
  partitioner: Partitioner,
  batch_shapes: Mapping[str, Sequence[int]],
) -> TrainState:
  """Returns the state's shapes, types and shardings, without computing it."""

  def init() -> Any:
    return model.init(jax.random.key(0), batch_shapes)["params"]

  with partitioner.context():
    boxed = jax.eval_shape(init)
  params = nn.unbox(boxed)
  opt_state = jax.eval_shape(optimizer.init, params)
  shardings = partitioner.param_shardings(boxed)
  state = TrainState(
    step=jax.ShapeDtypeStruct((), jnp.int32),
    params=params,
    opt_state=opt_state,
  )
  placed = TrainState(
    step=partitioner.replicated,
    params=shardings,
    opt_state=partitioner.like_params(opt_state, params, shardings),
  )
  return jax.tree.map(
    lambda leaf, sharding: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    state,
    placed,
  )


def shardings_of(abstract: Any) -> Any:
  """Returns the shardings of a tree of abstract or real arrays."""
  return jax.tree.map(lambda leaf: leaf.sharding, abstract)


def random_params(
  model: Any,
  partitioner: Partitioner,
  batch_shapes: Mapping[str, Sequence[int]],
  abstract: TrainState,
  rng: jax.Array,
) -> Any:
  """Returns random parameters, the same however they are sharded."""

  def init(key: jax.Array) -> Any:
    return nn.unbox(model.init(key, batch_shapes)["params"])

  with partitioner.context():
    return random_weights.draw(init, rng, shardings_of(abstract.params))


def load_params(
  path: str,
  abstract: TrainState,
  config: Any,
  random: Callable[[], Any],
  relative_steps: bool = True,
  allow_missing: str | None = None,
) -> tuple[Any, int, list[str]]:
  """Returns an initial checkpoint's parameters, the first step, and notes.

  Args:
    path: A checkpoint of any format, or a folder of checkpoints.
    abstract: The state's shapes and shardings.
    config: The network's configuration, None if it has none.
    random: Returns random parameters, for those that are missing.
    relative_steps: Whether the first step is 0, or the checkpoint's own.
    allow_missing: Regular expression of the parameters that stay random where
      the checkpoint lacks them.

  Raises:
    UserError: The checkpoint is absent, damaged or of another model.
  """
  checkpoint = loading.open_checkpoint(path)
  params, missing = loading.load_params(
    checkpoint, abstract.params, config, allow_missing
  )
  notes = []
  if missing:
    flat = traverse_util.flatten_dict(params)
    flat = {
      name: drawn if flat[name] is None else flat[name]
      for name, drawn in traverse_util.flatten_dict(random()).items()
    }
    params = traverse_util.unflatten_dict(flat)
    notes.append("random, by ALLOW_MISSING: " + ", ".join(missing))
  step = checkpoint.step
  known = "no known step" if step is None else f"step {step:,}"
  counted = "from here" if relative_steps else "on from there"
  notes.append(
    f"from {checkpoint.path} ({checkpoint.format}), {known}: steps are counted "
    f"{counted} (RELATIVE_STEPS = {relative_steps})"
  )
  return params, 0 if relative_steps else step or 0, notes


def start(
  params: Any,
  optimizer: optax.GradientTransformation,
  abstract: TrainState,
  step: int = 0,
) -> TrainState:
  """Returns the state at `step`, from random or from restored parameters.

  The learning rate goes on from that step; the optimizer's moments start anew.
  """

  def at_step(node: Any) -> Any:
    return node._replace(count=jnp.int32(step)) if _is_schedule(node) else node

  init = jax.jit(
    lambda params: (
      jnp.int32(step),
      jax.tree.map(at_step, optimizer.init(params), is_leaf=_is_schedule),
    ),
    out_shardings=(
      abstract.step.sharding,
      shardings_of(abstract.opt_state),
    ),
  )
  start_step, opt_state = init(params)
  return TrainState(step=start_step, params=params, opt_state=opt_state)


def _is_schedule(node: Any) -> bool:
  return isinstance(node, optax.ScaleByScheduleState)
