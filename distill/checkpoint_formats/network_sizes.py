"""What the names and shapes of parameters tell of their network."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_QUERY = "encoder/layers_0/attention/query/kernel"
_OUT = "encoder/layers_0/mlp/wo/kernel"
_LOGITS = "decoder/logits_dense/kernel"


def sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
  """Returns the fields of `T5Config` that shapes by T5X's name tell.

  All but the activations' names, of which 'mlp_branches' is the number, and
  what does not change parameters. A field whose parameter is absent is left
  out.
  """
  found: dict[str, Any] = {
    "num_encoder_layers": _layers("encoder", shapes),
    "num_decoder_layers": _layers("decoder", shapes),
    "logits_via_embedding": _LOGITS not in shapes,
    "mlp_branches": sum(
      re.fullmatch(r"encoder/layers_0/mlp/wi(_\d)?/kernel", name) is not None
      for name in shapes
    ),
  }
  embedding = shapes.get("token_embedder/embedding")
  if embedding:
    found["vocab_size"], found["emb_dim"] = embedding
  bias = shapes.get("encoder/relpos_bias/rel_embedding")
  if bias:
    found["num_heads"] = bias[0]
    if query := shapes.get(_QUERY):
      found["head_dim"] = query[1] // bias[0]
  if out := shapes.get(_OUT):
    found["mlp_dim"] = out[0]
  return found


def _layers(stack: str, names: Iterable[str]) -> int:
  numbers = [
    int(found[1])
    for name in names
    if (found := re.match(rf"{stack}/layers_(\d+)/", name))
  ]
  return max(numbers, default=-1) + 1
