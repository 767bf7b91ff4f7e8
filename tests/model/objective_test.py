"""Schedules, unlikelihood and α of each example, worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.errors import UserError
from distill.model import losses
from distill.model.objective import Objective

VOCAB = 7
# Rows of (length, group), each padded to 4 tokens.
PAIRS = [(2, 1), (4, 2), (1, 1), (0, 2), (3, 1), (3, 2), (0, 1), (0, 2)]


def rows_of(rows, seed=0):
  """Returns logits, and a batch of one sequence a row."""
  rng = np.random.default_rng(seed)
  real = np.arange(4) < np.array([[length] for length, _ in rows])
  groups = np.array([[group] for _, group in rows]) * real
  batch = {
    "decoder_target_tokens": rng.integers(1, VOCAB, real.shape) * real,
    "decoder_loss_weights": real.astype(np.int32),
    "decoder_loss_groups": groups,
  }
  logits = 3 * rng.normal(size=(*real.shape, VOCAB))
  return jnp.float32(logits), jax.tree.map(jnp.asarray, batch)


def loss_and_gradient(objective, logits, batch, step=0):
  coefficients = objective.coefficients(batch, step)

  def loss(logits):
    each, _ = objective.token_losses(batch, logits, 0.0, 0.0)
    return objective.loss(batch, coefficients, each)

  return jax.value_and_grad(loss)(logits)


def softmax_of(logits):
  exponents = np.exp(np.float64(logits))
  return exponents / exponents.sum(-1, keepdims=True)


@pytest.mark.parametrize(
  ("step", "alpha"), [(0, 0.5), (5, 0.6), (10, 0.7), (20, 0.9), (99, 0.9)]
)
def test_alpha_moves_by_a_straight_line_and_stays(step, alpha):
  scheduled = Objective(
    (1.0, 0.5, 0.5, 0.0),
    final_group_weights=(1.0, 0.9, 0.1, 0.0),
    steps=20,
  )
  fixed = Objective((1.0, alpha, 1 - alpha, 0.0))
  _, batch = rows_of([(2, 1), (4, 2), (3, 1), (1, 2)])
  np.testing.assert_allclose(
    jax.jit(scheduled.coefficients)(batch, jnp.int32(step)),
    fixed.coefficients(batch),
    rtol=1e-6,
  )


def test_unlikelihood_is_the_logarithm_of_all_other_tokens():
  logits, batch = rows_of([(3, 0), (2, 3), (4, 3)])
  loss, gradient = loss_and_gradient(
    Objective((1.0, 1.0, 1.0, 0.25)), logits, batch
  )
  targets = np.asarray(batch["decoder_target_tokens"])
  p = softmax_of(logits)
  expected, slopes = 0.0, np.zeros_like(p)
  for row, i in zip(*np.nonzero(targets), strict=True):
    hit = np.arange(VOCAB) == targets[row, i]
    if row == 0:  # learnt: the mean over 3 tokens
      expected -= np.log(p[row, i][hit][0]) / 3
      slopes[row, i] = (p[row, i] - hit) / 3
    else:  # unlearnt: a quarter of the mean over 2 + 4 tokens
      others = np.where(hit, 0, p[row, i])
      expected -= 0.25 * np.log(others.sum()) / 6
      slopes[row, i] = 0.25 * (p[row, i] - others / others.sum()) / 6
  assert float(loss) == pytest.approx(expected, rel=1e-5)
  np.testing.assert_allclose(gradient, slopes, atol=1e-6)


def test_unlikelihood_of_a_certain_token_is_finite_and_pushes_it_down():
  logits = jnp.array([[[200.0, 0.0, 0.0], [-200.0, 0.0, 0.0]]])
  targets = jnp.zeros((1, 2), jnp.int32)

  def loss(logits):
    return losses.unlikelihood_losses(logits, targets).sum()

  each = losses.unlikelihood_losses(logits, targets)
  np.testing.assert_allclose(each, [[200 - np.log(2), 0]], atol=1e-6)
  np.testing.assert_allclose(
    jax.grad(loss)(logits)[0], [[1, -0.5, -0.5], [0, 0, 0]], atol=1e-6
  )


def test_without_weight_nothing_is_unlearnt():
  logits, batch = rows_of([(3, 0), (4, 3)])
  loss, gradient = loss_and_gradient(Objective(), logits, batch)
  alone, _ = loss_and_gradient(
    Objective(), logits[:1], jax.tree.map(lambda rows: rows[:1], batch)
  )
  assert float(loss) == pytest.approx(float(alone))
  assert not gradient[1].any()


@pytest.mark.parametrize(("scale", "highest"), [(0.1, 0.218), (10.0, 0.7)])
def test_each_example_has_an_alpha_of_its_own(scale, highest):
  """The second has no rationale, the fourth is padding."""
  logits, batch = rows_of(PAIRS)
  logits *= scale
  loss, gradient = loss_and_gradient(Objective(per_example=True), logits, batch)
  targets = np.asarray(batch["decoder_target_tokens"])
  p = softmax_of(logits)
  hits = np.eye(VOCAB)[targets]
  each = -np.log((p * hits).sum(-1))
  expected, slopes, alphas = 0.0, np.zeros_like(p), []
  for label in (0, 2, 4):
    n, m = PAIRS[label][0], PAIRS[label + 1][0]
    alpha = min(max(np.tanh(each[label, :n].mean() / 10), 0.2), 0.7)
    alphas.append(alpha)
    expected += alpha * each[label, :n].mean() / 3
    slopes[label, :n] = alpha * (p - hits)[label, :n] / n / 3
    if m:
      expected += (1 - alpha) * each[label + 1, :m].mean() / 3
      slopes[label + 1, :m] = (1 - alpha) * (p - hits)[label + 1, :m] / m / 3
  assert float(loss) == pytest.approx(expected, rel=1e-5)
  np.testing.assert_allclose(gradient, slopes, atol=1e-6)
  assert (min(alphas), max(alphas)) == (0.2, pytest.approx(highest, abs=1e-3))


@pytest.mark.parametrize("extra", [1, "packed"])
def test_what_is_no_pairs_is_refused(extra):
  _, batch = rows_of(PAIRS[:3] if extra == 1 else PAIRS)
  if extra == "packed":
    batch["decoder_segment_ids"] = batch["decoder_loss_weights"]
  with pytest.raises(UserError, match="step_by_step_paired, not packed"):
    Objective(per_example=True).coefficients(batch)


@pytest.mark.parametrize(
  ("options", "said"),
  [
    ({"normalization": "mean"}, "'mean'"),
    ({"steps": 10}, "ALPHA_END and ALPHA_STEPS"),
    ({"final_group_weights": (1, 1, 0, 0)}, "ALPHA_END and ALPHA_STEPS"),
    ({"final_group_weights": (1, 1, 0, 0), "steps": 0}, "at least one step"),
    (
      {"final_group_weights": (1, 1, 0, 0), "steps": 9, "per_example": True},
      "ALPHA_PER_EXAMPLE = False",
    ),
  ],
)
def test_an_impossible_objective_is_refused(options, said):
  with pytest.raises(UserError) as caught:
    Objective(**options)
  assert said in str(caught.value)
