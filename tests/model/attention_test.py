"""Position buckets, masks and initial scale, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model import attention


def test_buckets_are_t5s():
  """T5's boundaries: exact up to 8 or 16, then growing by √2 or ∛…, to 128."""
  both = attention.position_buckets(np.arange(-200, 201), bidirectional=True)
  past, future = both[200::-1], both[200:]
  starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
  for distance in range(201):
    expected = sum(distance >= start for start in starts) - 1
    assert past[distance] == expected
    assert future[distance] == expected + 16 * (distance > 0)


def test_a_causal_bucket_is_zero_for_the_future_and_the_last_from_113_on():
  buckets = attention.position_buckets(
    np.array([5, 0, -1, -15, -16, -18, -19, -112, -113, -9999]),
    bidirectional=False,
  )
  np.testing.assert_array_equal(buckets, [0, 0, 1, 15, 16, 16, 17, 30, 31, 31])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_bias_looks_the_bucket_up_for_each_query_and_key(bidirectional):
  module = attention.RelativePositionBias(3, bidirectional)
  table = np.random.default_rng(0).normal(size=(3, 32))
  variables = {"params": {"rel_embedding": jnp.float32(table)}}
  length = 40
  bias = module.apply(variables, length)
  relative = np.arange(length) - np.arange(length)[:, None]
  buckets = attention.position_buckets(relative, bidirectional=bidirectional)
  np.testing.assert_allclose(bias[0], table[:, buckets], rtol=1e-6)
  for position in (0, 17, length - 1):
    row = module.apply(variables, jnp.int32(position), length, method="row")
    np.testing.assert_array_equal(row[:, :, 0], bias[:, :, position])


def test_masks_show_a_query_its_own_past_unpadded_segment():
  tokens = jnp.array([[6, 7, 8, 3, 0]])
  segments = jnp.array([[1, 1, 2, 2, 0]])
  mask = (
    attention.causal_mask(5)
    & attention.key_mask(tokens)
    & attention.segment_mask(segments, segments)
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
    module = attention.Attention(cfg)
    kv = attention.KeysValues(
      jnp.ones((1, 40, 1, 16)), jnp.ones((1, 40, 1, 16))
    )
    mask = jnp.ones((1, 1, 1, 1), bool)
    return module.init(key, x, kv, mask, deterministic=True)["params"]

  params = init(jax.random.key(0))
  deviation = float(jnp.std(params["query"]["kernel"].value))
  assert abs(deviation * np.sqrt(200 * 16) - 1) < 0.02
