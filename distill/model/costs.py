"""Closed formulas of a T5's parameters, FLOPs and activations.

This module does not import JAX.
"""

from distill.model.config import T5Config

_BUCKETS = 32  # layers.NUM_BUCKETS


def parameters(config: T5Config) -> int:
  """Returns the number of parameters."""
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  mlp = width * config.mlp_dim * (len(config.mlp_activations) + 1)
  encoder, decoder = config.num_encoder_layers, config.num_decoder_layers
  tables = 1 if config.logits_via_embedding else 2
  return (
    encoder * (4 * width * attended + mlp + 2 * width)
    + decoder * (8 * width * attended + mlp + 3 * width)
    + 2 * width
    + 2 * config.num_heads * _BUCKETS
    + tables * config.vocab_size * width
  )


def forward_flops(config: T5Config, inputs: int, targets: int) -> float:
  """Returns FLOPs of one sequence through encoder and decoder.

  It is twice the number of weights that each token is multiplied with, and the
  products of attention (Kaplan et al. 2020, 2.1, for each stack; the keys and
  values of the inputs count once for each input token). Training takes three
  times as many.

  Args:
    config: The network.
    inputs: Input tokens.
    targets: Target tokens.
  """
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  mlp = width * config.mlp_dim * (len(config.mlp_activations) + 1)
  layers, projected = config.num_decoder_layers, width * attended
  encoder = config.num_encoder_layers * (4 * projected + mlp)
  decoder = layers * (6 * projected + mlp) + width * config.vocab_size
  seen = 4 * attended
  return inputs * (
    2 * (encoder + layers * 2 * projected)
    + seen * config.num_encoder_layers * inputs
  ) + targets * (2 * decoder + seen * layers * (inputs + targets))


def activation_bytes(
  config: T5Config, inputs: int, targets: int, split: int = 1
) -> float:
  """Returns the bytes that the gradient of one row keeps, with dropout.

  It counts, by shape, the arrays that JAX saves for the backward pass of a
  network with two branches in the feed-forward layer. XLA needs less, because
  it computes some of them again.

  Args:
    config: The network.
    inputs: Input tokens.
    targets: Target tokens.
    split: MODEL_PARALLEL, which splits heads, feed-forward layer and logits.
  """
  size = 4 if config.dtype == "float32" else 2
  width, heads = config.emb_dim, config.num_heads
  attended, mlp = heads * config.head_dim, config.mlp_dim
  encoder, decoder = config.num_encoder_layers, config.num_decoder_layers
  scores = 5 + 2 * size  # of each query and key: float32 softmax, weights, mask
  whole = inputs * (
    width * (10 + 4 * size + encoder * (18 + 6 * size)) + 16 * encoder + 12
  ) + targets * (
    width * (14 + 3 * size + decoder * (27 + 9 * size)) + 24 * decoder + 25
  )
  parted = (
    encoder * inputs * (4 * size * attended + (1 + 9 * size) * mlp + 8 * heads)
    + decoder * inputs * 2 * size * attended
    + decoder
    * targets
    * (6 * size * attended + (1 + 9 * size) * mlp + 16 * heads)
    + scores * heads * encoder * inputs * inputs
    + scores * heads * decoder * targets * (inputs + targets)
    + 8 * targets * config.vocab_size
  )
  return whole + parted / split
