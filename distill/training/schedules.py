"""Learning rate schedules, composed of factors under T5X's names."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from distill import errors
from distill.errors import NonNegativeInt, PositiveInt

Schedule = Callable[[jax.Array], jax.Array]

# Each factor, and the argument that it divides by.
FACTORS = {
  "constant": None,
  "linear_warmup": "warmup_steps",
  "linear_decay": "warmup_steps",
  "rsqrt_decay": "warmup_steps",
  "rsqrt_normalized_decay": "warmup_steps",
  "decay_every": "steps_per_decay",
  "cosine_decay": "steps_per_cycle",
}


def create_learning_rate_scheduler(
  factors: str = "constant * linear_warmup * rsqrt_decay",
  base_learning_rate: float = 0.5,
  warmup_steps: NonNegativeInt = 1000,
  decay_factor: float = 0.5,
  steps_per_decay: PositiveInt = 20000,
  steps_per_cycle: PositiveInt = 100000,
  step_offset: NonNegativeInt = 0,
  min_learning_rate: float = 1e-8,
) -> Schedule:
  """Returns a function from the step to the learning rate, a float32 scalar.

  With t the steps after `step_offset` (never negative) and w `warmup_steps`,
  the rate is the product of the factors, and at least `min_learning_rate`:

  - constant: base_learning_rate
  - linear_warmup: min(1, t / w)
  - linear_decay: base_learning_rate · min(t / w, 1 + decay_factor · (w - t));
    it stands for 'constant * linear_warmup' too
  - rsqrt_decay: 1 / √max(t, w)
  - rsqrt_normalized_decay: √w / √max(t, w)
  - decay_every: decay_factor ^ ⌊t / steps_per_decay⌋
  - cosine_decay: (1 + cos(π · p)) / 2, where p is the part past the point of
    max(0, t - w) / steps_per_cycle, so that each cycle begins anew

  Raises:
    UserError: A factor is unknown, or would divide by zero steps.
  """
  names = [name.strip() for name in factors.split("*")]
  for name in names:
    if name not in FACTORS:
      raise errors.unknown(
        "factor of the learning rate",
        name,
        FACTORS,
        f"correct LEARNING_RATE_FACTORS = {factors!r}",
        cutoff=0.6,
      )
  divisors = {
    None: 1,
    "warmup_steps": warmup_steps,
    "steps_per_decay": steps_per_decay,
    "steps_per_cycle": steps_per_cycle,
  }
  for name in names:
    argument = FACTORS[name]
    errors.require(
      f"`create_learning_rate_scheduler.{argument}`",
      divisors[argument],
      divisors[argument] >= 1,
      "at least 1",
      f"bind it, or leave out the factor '{name}', which divides by it",
    )

  def schedule(step: jax.Array) -> jax.Array:
    t = jnp.maximum(0, step - step_offset)
    cycles = jnp.maximum(0.0, (t - warmup_steps) / steps_per_cycle)
    values = {
      "constant": lambda: base_learning_rate,
      "linear_warmup": lambda: jnp.minimum(1.0, t / warmup_steps),
      "linear_decay": lambda: (
        base_learning_rate
        * jnp.minimum(t / warmup_steps, 1.0 + decay_factor * (warmup_steps - t))
      ),
      "rsqrt_decay": lambda: 1.0 / jnp.sqrt(jnp.maximum(t, warmup_steps)),
      "rsqrt_normalized_decay": lambda: (
        jnp.sqrt(warmup_steps) / jnp.sqrt(jnp.maximum(t, warmup_steps))
      ),
      "decay_every": lambda: decay_factor ** (t // steps_per_decay),
      "cosine_decay": lambda: 0.5 * (1.0 + jnp.cos(jnp.pi * (cycles % 1.0))),
    }
    rate = jnp.float32(1.0)
    for name in names:
      rate *= values[name]()
    return jnp.maximum(rate, min_learning_rate)

  return schedule
