"""One training step: a pure function, the same for 1 device and 1,000."""

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from distill import loss_groups
from distill.training.mesh import Partitioner
from distill.training.schedules import Schedule
from distill.training.state import TrainState, shardings_of

Metrics = dict[str, jax.Array]
TrainStep = Callable[
  [TrainState, Mapping[str, jax.Array], jax.Array], tuple[TrainState, Metrics]
]


def make_train_step(
  model: Any,
  optimizer: optax.GradientTransformation,
  schedule: Schedule,
  num_microbatches: int = 1,
) -> TrainStep:
  """Returns `train_step(state, batch, rng) -> (state, metrics)`, pure.

  The batch is the global one, of arrays [batch, length]. The coefficients of
  the loss are computed once from all of it, so that loss and gradients are
  sums over microbatches, whatever their number. `rng` is the run's key, from
  which the step's number makes that of its dropout. The metrics are sums for
  `summarize`.
  """

  gradients = jax.value_and_grad(model.loss_fn, has_aux=True)

  def accumulated(
    params: Any, batch: Any, coefficients: jax.Array, rng: jax.Array
  ) -> tuple[Any, Any]:
    together = model.objective.rows_together
    microbatches = jax.tree.map(
      lambda rows: _split(rows, num_microbatches, together),
      (batch, coefficients),
    )

    def accumulate(total: Any, part: Any) -> tuple[Any, None]:
      (rows, weights), index = part
      terms = gradients(params, rows, weights, jax.random.fold_in(rng, index))
      return jax.tree.map(jnp.add, total, terms), None

    first = jax.tree.map(lambda rows: rows[0], microbatches)
    shapes = jax.eval_shape(gradients, params, *first, rng)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    total, _ = jax.lax.scan(
      accumulate, zeros, (microbatches, jnp.arange(num_microbatches))
    )
    return total

  def train_step(
    state: TrainState, batch: Mapping[str, jax.Array], rng: jax.Array
  ) -> tuple[TrainState, Metrics]:
    rng = jax.random.fold_in(rng, state.step)
    compute = gradients if num_microbatches == 1 else accumulated
    (loss, sums), grads = compute(
      state.params, batch, model.coefficients(batch, state.step), rng
    )
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    metrics = sums | {
      "loss": loss,
      "grad_norm": optax.global_norm(grads),
      "learning_rate": schedule(state.step),
      "input_tokens": jnp.sum(batch["encoder_input_tokens"] > 0),
      "target_tokens": jnp.sum(batch["decoder_target_tokens"] > 0),
      "positions": jnp.int32(
        batch["encoder_input_tokens"].size + batch["decoder_target_tokens"].size
      ),
    }
    next_state = TrainState(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      opt_state=opt_state,
    )
    return next_state, metrics

  return train_step


def _split(rows: jax.Array, count: int, together: int) -> jax.Array:
  """Returns [count, batch / count, …]: row i goes to microbatch i % count.

  With neighbours in different microbatches, each device keeps its own rows.
  Of `together` rows that belong to each other, all go where the first goes.
  """
  units = rows.reshape(-1, count, together, *rows.shape[1:])
  split = jnp.swapaxes(units, 0, 1).reshape(count, -1, *rows.shape[1:])
  return nn.with_logical_constraint(split, (None, "batch", "length"))


def compile_step(
  train_step: TrainStep,
  partitioner: Partitioner,
  state: TrainState,
  batch: Mapping[str, Any],
  rng: jax.Array,
) -> tuple[TrainStep, float]:
  """Returns the compiled step and the seconds that compiling took.

  It accepts only arguments of these shapes and shardings, so that it never
  compiles again. It donates the state that it is given.

  Args:
    train_step: From `make_train_step`.
    partitioner: The mesh.
    state: Real or abstract.
    batch: Real or abstract.
    rng: The run's key.
  """
  begin = time.perf_counter()
  jitted = jax.jit(
    train_step,
    donate_argnums=0,
    out_shardings=(shardings_of(state), partitioner.replicated),
    compiler_options=compiler_options(partitioner.platform),
  )
  with partitioner.context():
    compiled = jitted.lower(state, batch, rng).compile()
  return compiled, time.perf_counter() - begin


@functools.cache
def compiler_options(platform: str = "") -> dict[str, str] | None:
  """Returns XLA's options for a platform, by default that of this backend.

  XLA_FLAGS overrides them.

  On a CPU they turn YNNPACK's fusions off. With them, training a network of 32
  features takes 1.12 times as long (`bench/train.py`); one of 512, no longer.
  """
  name = "xla_cpu_experimental_ynn_fusion_type"
  if (platform or jax.default_backend()) != "cpu":
    return None
  if name in os.environ.get("XLA_FLAGS", ""):
    return None
  try:
    jax.jit(lambda: 0, compiler_options={name: ""})()
  except jax.errors.JaxRuntimeError:  # another release of XLA
    return None
  return {name: ""}


def read(metrics: Metrics) -> dict[str, float]:
  """Returns a step's metrics from the device, once the step is done."""
  return {name: float(x) for name, x in jax.device_get(metrics).items()}


def summarize(sums: Mapping[str, float], steps: int = 1) -> dict[str, float]:
  """Returns what is logged of a period of steps, by T5X's means.

  The loss, the norm of the gradient, the learning rate and the counts of
  tokens are means over the steps. The losses of groups, the accuracy, the
  z-loss and the padding are means over the tokens of the period. Groups
  without tokens are left out.

  Args:
    sums: For each name the sum of what `read` returned for the steps.
    steps: How many steps these are.
  """
  tokens = sums["input_tokens"] + sums["target_tokens"]
  weighed = max(sums["tokens"], 1.0)
  summary = {
    name: sums[name] / steps for name in ("loss", "grad_norm", "learning_rate")
  }
  for number, group in loss_groups.GROUPS.items():
    if count := sums.get(f"tokens/{number}"):
      summary[f"loss/{group.name}"] = sums[f"loss/{number}"] / count
  return summary | {
    "z_loss": sums["z_loss"] / weighed,
    "accuracy": sums["correct"] / weighed,
    "tokens": tokens / steps,
    "target_tokens": sums["target_tokens"] / steps,
    "padding": 1.0 - tokens / sums["positions"],
  }
