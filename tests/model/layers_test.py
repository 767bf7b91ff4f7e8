"""Layers by hand: norm, embedding on and off the TPU, dropout."""

import jax
import jax.numpy as jnp
import numpy as np

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
