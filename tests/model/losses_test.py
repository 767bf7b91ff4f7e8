"""The loss and its gradient against float64 loops over tokens and groups."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model import losses

VOCAB = 7
# Rows as (length, group) of the sequences packed in each; 12 tokens a row.
PACKED = [[(3, 1), (5, 2), (2, 1)], [(11, 2)], [(1, 1), (4, 1), (6, 2)], []]
UNPACKED = [[(3, 1)], [(12, 2)], [(1, 1)], [(7, 2)]]
ONLY_LABELS = [[(3, 1), (5, 1)], [(1, 1)]]
MIXED_SEQUENCE = [[(4, 1), (2, 2)], [(3, 2)]]


def make_batch(rows, length=12):
  """Targets, groups, weights and segments; a few tokens weigh nothing."""
  rng = np.random.default_rng(len(rows))
  shape = (len(rows), length)
  targets, groups, segments = (np.zeros(shape, np.int32) for _ in range(3))
  for r, row in enumerate(rows):
    start = 0
    for s, (n, group) in enumerate(row):
      targets[r, start : start + n] = rng.integers(1, VOCAB, n)
      groups[r, start : start + n] = group
      segments[r, start : start + n] = s + 1
      start += n
  weights = (targets > 0).astype(np.int32)
  weights[:, 4] = 0
  return {
    "decoder_target_tokens": targets,
    "decoder_loss_weights": weights,
    "decoder_loss_groups": groups,
    "decoder_segment_ids": segments,
  }


def numpy_loss(logits, batch, group_weights, how, z_loss, smoothing, packed):
  """Returns the loss and its gradient with respect to the logits."""
  loss, gradient = 0.0, np.zeros_like(logits)
  for group, group_weight in enumerate(group_weights):
    sequences = {}
    for row, i in np.ndindex(batch["decoder_target_tokens"].shape):
      if (
        batch["decoder_loss_groups"][row, i] == group
        and batch["decoder_loss_weights"][row, i]
      ):
        segment = batch["decoder_segment_ids"][row, i] if packed else 0
        sequences.setdefault((row, segment), []).append((row, i))
    if how == "token":  # all tokens of the group are one long sequence
      sequences = {"all": sum(sequences.values(), [])} if sequences else {}
    for tokens in sequences.values():
      share = group_weight / len(sequences) / len(tokens)
      for row, i in tokens:
        target = batch["decoder_target_tokens"][row, i]
        value, slope = one_token(logits[row, i], target, z_loss, smoothing)
        loss += share * value
        gradient[row, i] += share * slope
  return loss, gradient


def one_token(x, target, z_loss, smoothing):
  wanted = np.full(VOCAB, smoothing / (VOCAB - 1))
  wanted[target] = 1 - smoothing
  z = np.exp(x).sum()
  entropy = -sum(p * np.log(p) for p in wanted if p > 0)
  value = -(wanted * np.log(np.exp(x) / z)).sum() - entropy
  value += z_loss * np.log(z) ** 2
  slope = np.exp(x) / z * (1 + 2 * z_loss * np.log(z)) - wanted
  return value, slope


@pytest.mark.parametrize("how", ["token", "sequence"])
@pytest.mark.parametrize(
  ("rows", "packed"),
  [
    (PACKED, True),
    (UNPACKED, False),
    (ONLY_LABELS, True),
    (MIXED_SEQUENCE, False),
  ],
)
@pytest.mark.parametrize(("z_loss", "smoothing"), [(0, 0), (0.01, 0.1)])
def test_loss_and_gradient_equal_numpy(how, rows, packed, z_loss, smoothing):
  batch = make_batch(rows)
  logits = 3 * np.random.default_rng(9).normal(size=(len(rows), 12, VOCAB))
  weights = (0.5, 0.3, 0.7)
  expected, slopes = numpy_loss(
    logits, batch, weights, how, z_loss, smoothing, packed
  )
  if not packed:
    del batch["decoder_segment_ids"]
  coefficients = losses.token_coefficients(
    jax.tree.map(jnp.asarray, batch), weights, how
  )

  def loss_fn(logits):
    targets = batch["decoder_target_tokens"]
    each, _ = losses.token_losses(logits, targets, z_loss, smoothing)
    return jnp.sum(coefficients * each)

  loss, gradient = jax.value_and_grad(loss_fn)(jnp.float32(logits))
  np.testing.assert_allclose(loss, expected, rtol=0, atol=1e-5)
  np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-5)


def coefficients_of(batch, weights, how="token"):
  return losses.token_coefficients(
    {name: jnp.array(rows) for name, rows in batch.items()}, weights, how
  )


def test_alpha_weighs_group_means_whatever_the_lengths():
  batch = {
    "decoder_target_tokens": [[5, 1, 0, 0], [5, 5, 5, 1]],
    "decoder_loss_weights": [[1, 1, 0, 0], [1, 1, 1, 1]],
    "decoder_loss_groups": [[1, 1, 0, 0], [2, 2, 2, 2]],
  }
  np.testing.assert_allclose(
    coefficients_of(batch, (1.0, 0.3, 0.7)),
    [[0.15, 0.15, 0, 0], [0.175, 0.175, 0.175, 0.175]],
    rtol=1e-6,
  )


def test_a_packed_row_weighs_its_sequences_alike():
  batch = {
    "decoder_target_tokens": [[5, 1, 5, 5, 5, 1, 0]],
    "decoder_segment_ids": [[1, 1, 2, 2, 2, 2, 0]],
  }
  np.testing.assert_allclose(
    coefficients_of(batch, (1.0,), "sequence"),
    [[1 / 4, 1 / 4, 1 / 8, 1 / 8, 1 / 8, 1 / 8, 0]],
    rtol=1e-6,
  )


@pytest.mark.parametrize("group", [0, 1])
def test_one_group_of_weight_1_is_the_plain_mean_over_tokens(group):
  batch = make_batch(UNPACKED)
  batch["decoder_loss_groups"] = np.full_like(
    batch["decoder_target_tokens"], group
  )
  weights = batch["decoder_loss_weights"]
  expected = weights / weights.sum()
  found = coefficients_of(batch, (1.0, 1.0, 1.0))
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  if group == 0:
    del batch["decoder_loss_groups"]  # a foreign task has none
    del batch["decoder_loss_weights"]
    batch["decoder_target_tokens"] *= weights
    found = coefficients_of(batch, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("how", ["token", "sequence"])
def test_a_batch_of_padding_costs_nothing_and_is_no_nan(how):
  found = coefficients_of(make_batch([[], []]), (1.0, 0.5, 0.5), how)
  np.testing.assert_array_equal(found, np.zeros((2, 12)))


def test_a_certain_prediction_costs_nothing_even_smoothed():
  wanted = np.full(VOCAB, 0.2 / (VOCAB - 1))
  wanted[3] = 0.8
  loss, z_loss = losses.token_losses(
    jnp.log(jnp.float32(wanted))[None, None], jnp.array([[3]]), 0.0, 0.2
  )
  np.testing.assert_allclose([loss, z_loss], np.zeros((2, 1, 1)), atol=1e-6)


def test_sums_count_what_weighs_by_group():
  batch = {
    "decoder_target_tokens": jnp.array([[3, 2, 0], [4, 6, 1]]),
    "decoder_loss_weights": jnp.array([[1, 1, 0], [1, 0, 1]]),
    "decoder_loss_groups": jnp.array([[1, 1, 0], [2, 2, 2]]),
  }
  guesses = jnp.array([[3, 5, 0], [4, 6, 1]])
  hits = losses.hits(
    jax.nn.one_hot(guesses, VOCAB), batch["decoder_target_tokens"]
  )
  each = jnp.array([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
  sums = losses.loss_sums(batch, hits, each, each / 4, num_groups=3)
  assert {name: float(value) for name, value in sums.items()} == {
    "tokens": 4,
    "correct": 3,
    "z_loss": 43 / 4,
    "tokens/0": 0,
    "correct/0": 0,
    "loss/0": 0,
    "tokens/1": 2,
    "correct/1": 1,
    "loss/1": 3,
    "tokens/2": 2,
    "correct/2": 2,
    "loss/2": 40,
  }
