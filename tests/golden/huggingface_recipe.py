"""What both implementations of T5 are given, from NumPy alone.

RandomState's streams never change, so neither weights nor inputs are stored.
"""

import zlib

import numpy as np

PAD, EOS = 0, 1
ROWS, FORCED, DECODED, BEAMS = 6, 20, 20, 4

# The project's T5Config fields. The families differ in what is tied and gated,
# in layers, in whether heads tile the width, and in the vocabulary.
_GATED, _RELU = ("gelu", "linear"), ("relu",)
_SMALL = {
  "vocab_size": 40,
  "emb_dim": 16,
  "num_heads": 2,
  "num_encoder_layers": 2,
  "num_decoder_layers": 2,
  "head_dim": 8,
  "mlp_dim": 24,
  "mlp_activations": _GATED,
  "dropout_rate": 0.0,
  "logits_via_embedding": False,
}
VARIANTS = {
  "t5_1_0": {
    **_SMALL,
    "logits_via_embedding": True,
    "mlp_activations": _RELU,
  },
  "t5_1_0_gated": {**_SMALL, "logits_via_embedding": True},
  "t5_1_1": _SMALL,
  "t5_1_1_ungated": {**_SMALL, "mlp_activations": _RELU},
  "byt5": {
    **_SMALL,
    "vocab_size": 64,
    "num_encoder_layers": 3,
    "num_decoder_layers": 1,
    "head_dim": 6,
  },
  "mt5": {**_SMALL, "vocab_size": 96, "emb_dim": 12, "num_heads": 3},
}
# ByT5's inputs are long: past the last bucket of positions, which is at 128.
INPUTS = {name: 150 if name == "byt5" else 24 for name in VARIANTS}


def weights(variant, name, shape):
  """Returns a parameter by its T5X path, such as 'encoder/…', float32.

  The end of sequence is the most varied logit, so that some rows soon end.
  """
  seed = zlib.crc32(f"{variant}/{name}".encode())
  noise = np.random.RandomState(seed).standard_normal(shape)
  tied = VARIANTS[variant]["logits_via_embedding"]
  if name.endswith("scale"):
    values = 1 + 0.1 * noise
  elif name.endswith("logits_dense/kernel"):
    values = noise / np.sqrt(shape[0])
    values[:, EOS] *= 2.0
  elif name.endswith("query/kernel"):
    # As T5 starts: there is no other factor 1/√head_dim.
    values = noise / np.sqrt(shape[0] * VARIANTS[variant]["head_dim"])
  elif name.endswith("encoder_decoder_attention/out/kernel"):
    # So that answers depend on the inputs.
    values = 3.0 * noise / np.sqrt(shape[0])
  elif name.endswith("kernel"):
    values = noise / np.sqrt(shape[0])
  else:
    values = noise
    if tied and name.endswith("token_embedder/embedding"):
      values[EOS] *= 2.0
  return values.astype(np.float32)


def batch(variant):
  """Returns inputs [rows, inputs length], padded, and forced [rows, forced].

  The forced tokens are what the decoder reads: 0, then some of every kind.
  """
  random = np.random.RandomState(zlib.crc32(variant.encode()))
  vocab_size = VARIANTS[variant]["vocab_size"]
  inputs = random.randint(2, vocab_size, (ROWS, INPUTS[variant]))
  for row, length in zip(
    inputs, random.randint(4, INPUTS[variant] + 1, ROWS), strict=True
  ):
    row[length - 1] = EOS
    row[length:] = PAD
  forced = random.randint(2, vocab_size, (ROWS, FORCED))
  forced[:, 0] = PAD
  return inputs.astype(np.int32), forced.astype(np.int32)
