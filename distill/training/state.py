"""What a step changes: its number, the parameters, the optimizer's state."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

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
    return jax.jit(init, out_shardings=shardings_of(abstract.params))(rng)


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
