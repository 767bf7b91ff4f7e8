"""Layers by hand: norm, embedding, dropout, position buckets and masks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model import layers


def test_rms_norm_divides_by_the_root_mean_square_without_centring():
  norm = layers.RMSNorm("float32")
  x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
  scale = jnp.array([1.0, 2.0])
  y = norm.apply({"params": {"scale": scale}}, x)
  rms = np.sqrt(12.5)
  np.testing.assert_allclose(y, [[3 / rms, 8 / rms], [0, 0]], rtol=1e-6)


def test_the_tpu_embedding_gives_what_the_gather_gives(tiny_t5, monkeypatch):
  embed = layers.Embed(tiny_t5.config())
  table = jax.random.normal(jax.random.key(0), (23, 12))
  tokens = jnp.array([[0, 22, 5], [7, 7, 1]])
  gathered = embed.apply({"params": {"embedding": table}}, tokens)
  np.testing.assert_array_equal(gathered, table[tokens])
  monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
  multiplied = embed.apply({"params": {"embedding": table}}, tokens)
  np.testing.assert_allclose(multiplied, gathered, atol=1e-6)


def test_dropout_drops_a_unit_at_every_position_or_at_none(tiny_t5):
  dropout = layers.dropout(tiny_t5.config(dropout_rate=0.25))
  ones = jnp.ones((4, 6, 500))
  y = dropout.apply(
    {}, ones, deterministic=False, rngs={"dropout": jax.random.key(0)}
  )
  np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
  assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
  assert abs(float(y.mean()) - 1) < 0.05


def test_buckets_are_t5s():
  """T5's boundaries: exact up to 8 or 16, then growing by √2 or ∛…, to 128."""
  both = layers.position_buckets(np.arange(-200, 201), bidirectional=True)
  past, future = both[200::-1], both[200:]
  starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
  for distance in range(201):
    expected = sum(distance >= start for start in starts) - 1
    assert past[distance] == expected
    assert future[distance] == expected + 16 * (distance > 0)


def test_a_causal_bucket_is_zero_for_the_future_and_the_last_from_113_on():
  buckets = layers.position_buckets(
    np.array([5, 0, -1, -15, -16, -18, -19, -112, -113, -9999]),
    bidirectional=False,
  )
  np.testing.assert_array_equal(buckets, [0, 0, 1, 15, 16, 16, 17, 30, 31, 31])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_bias_looks_the_bucket_up_for_each_query_and_key(bidirectional):
  module = layers.RelativePositionBias(3, bidirectional)
  table = np.random.default_rng(0).normal(size=(3, 32))
  variables = {"params": {"rel_embedding": jnp.float32(table)}}
  length = 40
  bias = module.apply(variables, length)
  relative = np.arange(length) - np.arange(length)[:, None]
  buckets = layers.position_buckets(relative, bidirectional=bidirectional)
  np.testing.assert_allclose(bias[0], table[:, buckets], rtol=1e-6)
  for position in (0, 17, length - 1):
    row = module.apply(variables, jnp.int32(position), length, method="row")
    np.testing.assert_array_equal(row[:, :, 0], bias[:, :, position])


def test_masks_show_a_query_its_own_past_unpadded_segment():
  tokens = jnp.array([[6, 7, 8, 3, 0]])
  segments = jnp.array([[1, 1, 2, 2, 0]])
  mask = (
    layers.causal_mask(5)
    & layers.key_mask(tokens)
    & layers.segment_mask(segments, segments)
  )
  expected = [
    [1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0],
    [0, 0, 1, 0, 0],
    [0, 0, 1, 1, 0],
    [0, 0, 0, 0, 0],
  ]
  np.testing.assert_array_equal(mask[0, 0], expected)


def test_the_query_kernel_begins_smaller_by_the_root_of_the_head_dim(tiny_t5):
  cfg = tiny_t5.config(emb_dim=200, head_dim=16, num_heads=40)
  x = jnp.ones((1, 1, 200))

  def init(key):
    module = layers.Attention(cfg)
    kv = layers.KeysValues(jnp.ones((1, 40, 1, 16)), jnp.ones((1, 40, 1, 16)))
    mask = jnp.ones((1, 1, 1, 1), bool)
    return module.init(key, x, kv, mask, deterministic=True)["params"]

  params = init(jax.random.key(0))
  deviation = float(jnp.std(params["query"]["kernel"].value))
  assert abs(deviation * np.sqrt(200 * 16) - 1) < 0.02
