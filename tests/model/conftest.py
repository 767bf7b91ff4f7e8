"""A network and batches small enough to check by hand or in NumPy."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from distill.model.config import T5Config
from distill.model.network import Transformer

VARIANTS = {
  "t5_1_1": {"mlp_activations": ("gelu", "linear")},
  "t5_1_0": {"mlp_activations": ("relu",), "logits_via_embedding": True},
}


def config(variant="t5_1_1", **overrides):
  fields = {
    "vocab_size": 23,
    "emb_dim": 12,
    "num_heads": 2,
    "head_dim": 5,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "mlp_dim": 16,
    "dropout_rate": 0.0,
  }
  return T5Config(**{**fields, **VARIANTS[variant], **overrides})


def batch(input_lengths, target_lengths, vocab_size=23, seed=0):
  """Random rows of the given lengths, padded to the longest."""
  rng = np.random.default_rng(seed)

  def rows(lengths):
    tokens = rng.integers(2, vocab_size, (len(lengths), max(lengths)))
    kept = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return (tokens * kept).astype(np.int32)

  targets = rows(target_lengths)
  return {
    "encoder_input_tokens": rows(input_lengths),
    "decoder_input_tokens": np.pad(targets, ((0, 0), (1, 0)))[:, :-1],
    "decoder_target_tokens": targets,
    "decoder_loss_weights": (targets > 0).astype(np.int32),
  }


def count(jaxpr, primitive):
  """How often a primitive stands in a jaxpr and in those within it."""
  total = 0
  for eqn in jaxpr.eqns:
    total += eqn.primitive.name == primitive
    for value in jax.tree.leaves(
      list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
    ):
      inner = getattr(value, "jaxpr", value)
      total += count(inner, primitive) if hasattr(inner, "eqns") else 0
  return total


def variables(module, spread):
  """Weights that make every part matter: norms off 1, biases far apart."""
  one = jnp.ones((1, 1), jnp.int32)
  shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), one, one, one))
  rng = np.random.default_rng(1)

  def weights(path, shape):
    shift = float(path[-1].key == "scale")
    return jnp.float32(shift + spread * rng.normal(size=shape.shape))

  return jax.tree_util.tree_map_with_path(weights, nn.unbox(shapes))


def transformer(variant="t5_1_1", spread=0.3, **overrides):
  module = Transformer(config(variant, **overrides))
  return module, variables(module, spread)


@pytest.fixture
def tiny_t5():
  return types.SimpleNamespace(
    config=config, batch=batch, transformer=transformer, count=count
  )
