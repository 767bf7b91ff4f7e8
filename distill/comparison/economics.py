"""What a student costs against its teacher: money, FLOPs, memory, time."""

from distill.model.config import T5Config

_RELATIVE_BUCKETS = 32  # T5's, of the one relative bias of each stack


def parameters(config: T5Config) -> int:
  """Returns the number of parameters."""
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  mlp = width * config.mlp_dim * (len(config.mlp_activations) + 1)
  encoder = config.num_encoder_layers * (4 * width * attended + mlp)
  decoder = config.num_decoder_layers * (8 * width * attended + mlp)
  norms = 2 * config.num_encoder_layers + 3 * config.num_decoder_layers + 2
  tables = 1 if config.logits_via_embedding else 2
  return (
    encoder
    + decoder
    + norms * width
    + tables * config.vocab_size * width
    + 2 * _RELATIVE_BUCKETS * config.num_heads
  )


def forward_flops(config: T5Config, inputs: int, targets: int) -> float:
  """Returns FLOPs of one sequence through encoder and decoder.

  Twice the weights that each token meets, and attention's products (Kaplan et
  al. 2020, 2.1, applied to each stack; keys and values of the inputs count
  once for each input token). Training takes three times as many.

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


def memory_bytes(config: T5Config, inputs: int, targets: int) -> int:
  """Returns what one prediction keeps: float32 weights, keys and values."""
  attended = config.num_heads * config.head_dim
  number = 4 if config.dtype == "float32" else 2
  cached = config.num_decoder_layers * 2 * attended * (inputs + targets)
  return 4 * parameters(config) + number * cached
