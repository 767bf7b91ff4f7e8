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


def recomputed_flops(
  config: T5Config, inputs: int, targets: int, chunk: int | None = None
) -> float:
  """Returns FLOPs of one sequence that the backward pass computes again.

  REMAT 'minimal' repeats the products of attention. 'full' repeats all products
  of the layers but the last of each, the output of the feed-forward layer. With
  `chunk` the logits are repeated, and padded to whole chunks.

  Args:
    config: The network.
    inputs: Input tokens.
    targets: Target tokens.
    chunk: LOGITS_CHUNK.
  """
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  products = 0.0
  if chunk is not None and chunk < targets:
    padded = -(-targets // chunk) * chunk
    # Padding counts in the forward pass and in both gradients, too.
    logits = padded + 3 * (padded - targets)
    products += 2.0 * logits * width * config.vocab_size
  if config.remat_policy == "none":
    return products
  encoder, decoder = config.num_encoder_layers, config.num_decoder_layers
  pairs = encoder * inputs**2 + decoder * targets * (inputs + targets)
  products += 4.0 * attended * pairs
  if config.remat_policy == "full":
    projected = width * attended
    branches = width * config.mlp_dim * len(config.mlp_activations)
    products += 2 * inputs * encoder * (4 * projected + branches)
    products += 2 * targets * decoder * (6 * projected + branches)
    products += 2 * inputs * decoder * 2 * projected
  return products


def activation_bytes(
  config: T5Config,
  inputs: int,
  targets: int,
  split: int = 1,
  chunk: int | None = None,
) -> float:
  """Returns the bytes that the gradient of one row keeps, with dropout.

  It counts, by shape, the arrays that JAX saves for the backward pass of a
  network with two branches in the feed-forward layer. XLA needs less, because
  it computes some of them again. With rematerialization, the arrays of one
  layer are added, because the backward pass makes them layer by layer.

  Args:
    config: The network.
    inputs: Input tokens.
    targets: Target tokens.
    split: MODEL_PARALLEL, which splits heads, feed-forward layer and logits.
    chunk: LOGITS_CHUNK, whose logits alone are held.
  """
  size = 4 if config.dtype == "float32" else 2
  width, heads = config.emb_dim, config.num_heads
  attended, mlp = heads * config.head_dim / split, config.mlp_dim / split
  scores = (5 + 2 * size) * heads / split  # float32 softmax, weights, mask
  dense = 4 * size * attended + (1 + 9 * size) * mlp + 8 * heads / split
  cross = 2 * size * attended  # query and output, or key and value
  encoder = inputs * (width * (18 + 6 * size) + 16 + dense + scores * inputs)
  own = width * (27 + 9 * size) + 24 + dense + scores * targets
  own += cross + 8 * heads / split + scores * inputs
  decoder = inputs * cross + targets * own
  ends: float = inputs * (width * (10 + 4 * size) + 12)
  ends += targets * (width * (14 + 3 * size) + 25)
  ends += 8 * config.vocab_size / split * min(targets, chunk or targets)
  if config.remat_policy != "none":
    ends += 2 * inputs + targets**2 + max(encoder, decoder)  # masks, one layer
    kept = 0.0 if config.remat_policy == "full" else 1.0
    encoder = size * inputs * (width + kept * (width + 3 * attended + 2 * mlp))
    decoder = (
      size * targets * (width + kept * (2 * width + 4 * attended + 2 * mlp))
      + kept * inputs * cross
    )
  return (
    ends
    + config.num_encoder_layers * encoder
    + config.num_decoder_layers * decoder
  )
