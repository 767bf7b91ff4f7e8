"""Optimizers from optax, configured apart from the learning rate.

Each function returns a factory, which makes the optax transformation when the
training loop hands it the schedule: the learning rate always comes from there.
"""

from collections.abc import Callable

import optax

from distill import errors
from distill.training.schedules import Schedule

OptimizerFactory = Callable[[Schedule], optax.GradientTransformation]


def adafactor(
  *,
  factored: bool = True,
  multiply_by_parameter_scale: bool = True,
  decay_rate: float = 0.8,
  clipping_threshold: float | None = 1.0,
  weight_decay_rate: float | None = None,
  min_dim_size_to_factor: int = 128,
  epsilon1: float = 1e-30,
  epsilon2: float = 1e-3,
  global_norm_clip_threshold: float | None = None,
) -> OptimizerFactory:
  """Returns a factory of Adafactor as T5 and T5X use it, without momentum.

  With g the gradient and t the step counted from 1, the second moment is
  v ← d·v + (1-d)·(g² + epsilon1), d = 1 - t^-decay_rate. The update g/√v is
  divided by max(1, RMS / clipping_threshold), and multiplied by the learning
  rate and by max(RMS of the parameter, epsilon2).

  Args:
    factored: Whether v of a matrix is kept as its row and column means.
    multiply_by_parameter_scale: Whether the learning rate is relative to the
      parameter's root mean square.
    decay_rate: Exponent of the second moment's decay.
    clipping_threshold: Root mean square of an update, at most.
    weight_decay_rate: Part of each parameter taken off a step, whatever the
      learning rate.
    min_dim_size_to_factor: Both sides of a matrix that is factored have at
      least this size.
    epsilon1: Added to squared gradients.
    epsilon2: Least scale of a parameter.
    global_norm_clip_threshold: Norm of all gradients together, at most.
  """
  clip = _clip_by_global_norm(global_norm_clip_threshold)

  def build(schedule: Schedule) -> optax.GradientTransformation:
    # optax.adafactor does not take epsilon2; these are its parts in its order.
    parts = [
      *clip,
      optax.scale_by_factored_rms(
        factored=factored,
        decay_rate=decay_rate,
        min_dim_size_to_factor=min_dim_size_to_factor,
        epsilon=epsilon1,
      ),
    ]
    if clipping_threshold is not None:
      parts.append(optax.clip_by_block_rms(clipping_threshold))
    parts.append(optax.scale_by_schedule(schedule))
    if multiply_by_parameter_scale:
      parts.append(optax.scale_by_param_block_rms(epsilon2))
    if weight_decay_rate is not None:
      parts.append(optax.add_decayed_weights(weight_decay_rate))
    return optax.chain(*parts, optax.scale(-1.0))

  return build


def adamw(
  *,
  beta1: float = 0.9,
  beta2: float = 0.999,
  epsilon: float = 1e-8,
  weight_decay_rate: float = 0.0,
  global_norm_clip_threshold: float | None = None,
) -> OptimizerFactory:
  """Returns a factory of AdamW.

  Args:
    beta1: Decay of the gradients' mean.
    beta2: Decay of the squared gradients' mean.
    epsilon: Added to the root of the latter.
    weight_decay_rate: Times the learning rate, the part of each parameter taken
      off a step.
    global_norm_clip_threshold: Norm of all gradients together, at most.
  """
  clip = _clip_by_global_norm(global_norm_clip_threshold)

  def build(schedule: Schedule) -> optax.GradientTransformation:
    return optax.chain(
      *clip,
      optax.adamw(
        schedule,
        b1=beta1,
        b2=beta2,
        eps=epsilon,
        weight_decay=weight_decay_rate,
      ),
    )

  return build


def _clip_by_global_norm(
  threshold: float | None,
) -> list[optax.GradientTransformation]:
  if threshold is None:
    return []
  errors.require(
    "The optimizer's `global_norm_clip_threshold`",
    threshold,
    threshold > 0,
    "above 0, or None for no clipping",
  )
  return [optax.clip_by_global_norm(threshold)]
