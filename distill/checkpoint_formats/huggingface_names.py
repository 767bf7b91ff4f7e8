"""T5's names in Hugging Face's PyTorch model, and what lies transposed.

PyTorch keeps a linear map as [out, in], T5X as [in, out]; position biases are
[buckets, heads] there and [heads, buckets] here.
"""

import re

EMBEDDING, LOGITS = "shared.weight", "lm_head.weight"

_PROJECTIONS = {"query": "q", "key": "k", "value": "v", "out": "o"}
# In each stack, its attention blocks in order: T5X's name, T5X's name of the
# norm before it, Hugging Face's name. The feed-forward block comes after them.
_BLOCKS = {
  "encoder": [("attention", "pre_attention_layer_norm", "SelfAttention")],
  "decoder": [
    ("self_attention", "pre_self_attention_layer_norm", "SelfAttention"),
    (
      "encoder_decoder_attention",
      "pre_cross_attention_layer_norm",
      "EncDecAttention",
    ),
  ],
}


def _table() -> dict[str, tuple[str, bool]]:
  """Returns Hugging Face's name, and if it is transposed, by T5X's.

  The number of a layer is `{}` in both.
  """
  table = {
    "token_embedder/embedding": (EMBEDDING, False),
    "decoder/logits_dense/kernel": (LOGITS, True),
  }
  for stack, blocks in _BLOCKS.items():
    table[f"{stack}/{stack}_norm/scale"] = (
      f"{stack}.final_layer_norm.weight",
      False,
    )
    table[f"{stack}/relpos_bias/rel_embedding"] = (
      f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
      True,
    )
    ours = f"{stack}/layers_{{}}"
    theirs = f"{stack}.block.{{}}.layer"
    for i, (attention, norm, name) in enumerate(blocks):
      table[f"{ours}/{norm}/scale"] = f"{theirs}.{i}.layer_norm.weight", False
      for projection, letter in _PROJECTIONS.items():
        table[f"{ours}/{attention}/{projection}/kernel"] = (
          f"{theirs}.{i}.{name}.{letter}.weight",
          True,
        )
    last = len(blocks)
    table[f"{ours}/pre_mlp_layer_norm/scale"] = (
      f"{theirs}.{last}.layer_norm.weight",
      False,
    )
    for name in ("wi", "wi_0", "wi_1", "wo"):
      table[f"{ours}/mlp/{name}/kernel"] = (
        f"{theirs}.{last}.DenseReluDense.{name}.weight",
        True,
      )
  return table


_TO_HUGGINGFACE = _table()
_FROM_HUGGINGFACE = {
  theirs: (ours, transposed)
  for ours, (theirs, transposed) in _TO_HUGGINGFACE.items()
}


def to_huggingface(name: str) -> tuple[str, bool] | None:
  """Returns Hugging Face's name of T5X's, and if it is the transpose."""
  pattern = re.sub(r"layers_\d+", "layers_{}", name)
  number = re.search(r"layers_(\d+)", name)
  if pattern not in _TO_HUGGINGFACE:
    return None
  theirs, transposed = _TO_HUGGINGFACE[pattern]
  return theirs.format(number[1]) if number else theirs, transposed


def from_huggingface(name: str) -> tuple[str, bool] | None:
  """Returns T5X's name of Hugging Face's, and if it is the transpose."""
  if name in _FROM_HUGGINGFACE:
    return _FROM_HUGGINGFACE[name]
  pattern = re.sub(r"block\.\d+\.", "block.{}.", name)
  number = re.search(r"block\.(\d+)\.", name)
  if not number or pattern not in _FROM_HUGGINGFACE:
    return None
  ours, transposed = _FROM_HUGGINGFACE[pattern]
  return ours.format(number[1]), transposed
