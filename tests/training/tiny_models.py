"""Tiny models and batches that the training tests share."""

import functools

import jax
import numpy as np
import optax
from flax import linen as nn

from distill.model import config, encoder_decoder, network, objective
from distill.training import mesh, state

ROWS, LENGTH, VOCAB, WIDTH = 32, 6, 11, 8
WEIGHTS = (1.0, 0.7, 0.3, 0.4)
Z_LOSS, SMOOTHING = 1e-2, 0.1


class Linear(nn.Module):
  """logits = embedding[decoder_input_tokens] @ kernel, with dropout between."""

  dropout_rate: float
  vocab_size: int

  @nn.compact
  def __call__(
    self, inputs, tokens, targets, encoder_segment_ids=None,
    decoder_segment_ids=None, *, enable_dropout=True,
  ):  # fmt: skip
    def param(name, shape, axes):
      init = nn.with_logical_partitioning(nn.initializers.normal(1.0), axes)
      return self.param(name, init, shape)

    embedding = param("embedding", (self.vocab_size, WIDTH), (None, "embed"))
    kernel = param("kernel", (WIDTH, self.vocab_size), ("embed", None))
    drop = nn.Dropout(self.dropout_rate, deterministic=not enable_dropout)
    return drop(embedding[tokens]) @ kernel


def linear_model(
  normalization="token", dropout_rate=0.0, vocab_size=VOCAB, **options
):
  return encoder_decoder.EncoderDecoderModel(
    Linear(dropout_rate, vocab_size),
    None,
    None,
    Z_LOSS,
    SMOOTHING,
    objective.Objective(WEIGHTS, normalization, **options),
  )


def t5_model(dropout_rate=0.0, vocab_size=16, **options):
  sizes = config.T5Config(
    vocab_size=vocab_size, emb_dim=8, num_heads=2, num_encoder_layers=1,
    num_decoder_layers=1, head_dim=4, mlp_dim=16,
    mlp_activations=("gelu", "linear"), dropout_rate=dropout_rate, **options,
  )  # fmt: skip
  return encoder_decoder.EncoderDecoderModel(
    network.Transformer(sizes), None, None
  )


def batch_of(packed, seed=0):
  """Rows with padding at the end; packed ones hold two sequences."""
  rng = np.random.default_rng(seed)
  used = rng.integers(2, LENGTH + 1, ROWS)
  real = np.arange(LENGTH) < used[:, None]
  first = np.arange(LENGTH) < (used // 2)[:, None]
  groups = rng.integers(0, 4, (ROWS, 1))
  if packed:
    groups = np.where(first, groups, rng.integers(0, 4, (ROWS, 1)))

  def tokens():
    return rng.integers(1, VOCAB, (ROWS, LENGTH)) * real

  batch = {
    "encoder_input_tokens": tokens(),
    "decoder_input_tokens": tokens(),
    "decoder_target_tokens": tokens(),
    "decoder_loss_weights": real,
    "decoder_loss_groups": groups * real,
  }
  if packed:
    batch["decoder_segment_ids"] = np.where(first, 1, 2) * real
    batch["encoder_segment_ids"] = batch["decoder_segment_ids"]
  return {name: array.astype(np.int32) for name, array in batch.items()}


@functools.cache
def host_params(model):
  shapes = {name: rows.shape for name, rows in batch_of(True).items()}
  partitioner = devices(1)()
  abstract = state.abstract_state(model, optax.sgd(0), partitioner, shapes)
  return jax.device_get(
    state.random_params(model, partitioner, shapes, abstract, jax.random.key(5))
  )


def devices(count):
  """Returns a partitioner class of the first `count` devices."""
  return functools.partial(mesh.Partitioner, devices=jax.devices()[:count])
