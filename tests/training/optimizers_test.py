"""Three steps of each optimizer against the paper's formulas in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from distill.errors import UserError
from distill.training import optimizers

SHAPES = {"factored": (130, 128), "small": (3, 200), "norm": (5,)}
STEPS = 3


def schedule(step):
  return 0.01 * (jnp.float32(step) + 1)


def tensors(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  return {name: scale * rng.normal(size=s) for name, s in SHAPES.items()}


def train(factory, params):
  """Applies the gradients `tensors(1)`, `tensors(2)`, … in float32."""
  optimizer = factory(schedule)
  params = jax.tree.map(jnp.float32, params)
  state = optimizer.init(params)
  update = jax.jit(optimizer.update)
  for step in range(STEPS):
    gradients = jax.tree.map(jnp.float32, tensors(step + 1))
    updates, state = update(gradients, state, params)
    params = optax.apply_updates(params, updates)
  return params, state


def rms(x):
  return np.sqrt((x**2).mean())


def numpy_adafactor(
  params, *, factored=True, scaled=True, decay=0.0, clip=1.0, norm=None
):
  params = dict(params)
  v = {name: (0.0, 0.0) for name in params}
  for step in range(STEPS):
    gradients = tensors(step + 1)
    total = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    beta = 1 - (step + 1) ** -0.8
    for name, g in gradients.items():
      g = g * min(1, norm / total) if norm else g
      square = g**2 + 1e-30
      if factored and min(g.shape) >= 128:
        rows, columns = v[name]
        rows = beta * rows + (1 - beta) * square.mean(1)
        columns = beta * columns + (1 - beta) * square.mean(0)
        v[name] = rows, columns
        moment = np.outer(rows, columns) / rows.mean()
      else:
        moment = beta * v[name][0] + (1 - beta) * square
        v[name] = moment, 0.0
      update = g / np.sqrt(moment)
      update /= max(1, rms(update) / clip) if clip else 1
      rate = 0.01 * (step + 1)
      rate *= max(rms(params[name]), 1e-3) if scaled else 1
      params[name] = (1 - decay) * params[name] - rate * update
  return params


@pytest.mark.parametrize(
  ("ours", "theirs"),
  [
    ({}, {}),
    ({"weight_decay_rate": 0.1}, {"decay": 0.1}),
    ({"global_norm_clip_threshold": 0.5}, {"norm": 0.5}),
    ({"global_norm_clip_threshold": 1e6}, {}),
    (
      {
        "factored": False,
        "multiply_by_parameter_scale": False,
        "clipping_threshold": None,
      },
      {"factored": False, "scaled": False, "clip": None},
    ),
  ],
)
def test_adafactor_is_t5s(ours, theirs):
  params = tensors(0) | {"norm": np.full(5, 1e-5)}  # below the least scale
  trained, _ = train(optimizers.adafactor(**ours), params)
  expected = numpy_adafactor(params, **theirs)
  for name in SHAPES:
    np.testing.assert_allclose(trained[name], expected[name], atol=2e-6)
    assert np.abs(expected[name] - params[name]).max() > 1e-5


def test_adafactor_keeps_a_large_matrix_as_two_vectors():
  _, state = train(optimizers.adafactor(), tensors(0))
  sizes = sum(x.size for x in jax.tree.leaves(state))
  kept = 130 + 128 + 3 * 200 + 5
  assert kept <= sizes < kept + 20, "no second moment of the whole matrix"


@pytest.mark.parametrize("norm", [None, 0.5])
def test_adamw_is_the_papers(norm):
  params = tensors(0)
  trained, _ = train(
    optimizers.adamw(weight_decay_rate=0.1, global_norm_clip_threshold=norm),
    params,
  )
  for name in SHAPES:
    p, m, v = params[name], 0.0, 0.0
    for t in range(1, STEPS + 1):
      gradients = tensors(t)
      total = np.sqrt(sum((g**2).sum() for g in gradients.values()))
      g = gradients[name] * (min(1, norm / total) if norm else 1)
      m = 0.9 * m + 0.1 * g
      v = 0.999 * v + 0.001 * g**2
      step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
      p = p - 0.01 * t * (step + 0.1 * p)
    np.testing.assert_allclose(trained[name], p, atol=5e-6)


@pytest.mark.parametrize("factory", [optimizers.adafactor, optimizers.adamw])
def test_a_global_norm_of_nothing_is_refused(factory):
  with pytest.raises(UserError, match="global_norm_clip_threshold"):
    factory(global_norm_clip_threshold=0.0)
