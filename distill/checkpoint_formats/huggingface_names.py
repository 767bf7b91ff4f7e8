"""Hugging Face's names: of T5's parameters, and of config.json's fields.

PyTorch stores a linear layer as [out, in], T5X as [in, out]. Position biases
are [buckets, heads] in PyTorch and [heads, buckets] in T5X.
"""

import re
from collections.abc import Mapping
from typing import Any

from distill import errors

EMBEDDING, LOGITS = "shared.weight", "lm_head.weight"

_PROJECTIONS = {"query": "q", "key": "k", "value": "v", "out": "o"}
_MLP = (
  "pre_mlp_layer_norm",
  "mlp",
  "DenseReluDense",
  {name: name for name in ("wi", "wi_0", "wi_1", "wo")},
)
# The blocks of a layer in order: T5X's names of the norm and of the block,
# Hugging Face's name of the block, and both names of its kernels.
_BLOCKS = {
  "encoder": (
    ("pre_attention_layer_norm", "attention", "SelfAttention", _PROJECTIONS),
    _MLP,
  ),
  "decoder": (
    (
      "pre_self_attention_layer_norm",
      "self_attention",
      "SelfAttention",
      _PROJECTIONS,
    ),
    (
      "pre_cross_attention_layer_norm",
      "encoder_decoder_attention",
      "EncDecAttention",
      _PROJECTIONS,
    ),
    _MLP,
  ),
}
# Fields of config.json by the field of `T5Config`.
_FIELDS = {
  "vocab_size": "vocab_size",
  "emb_dim": "d_model",
  "head_dim": "d_kv",
  "mlp_dim": "d_ff",
  "num_heads": "num_heads",
  "num_encoder_layers": "num_layers",
  "num_decoder_layers": "num_decoder_layers",
}
_DEFAULTS = {"vocab_size": 32128, "d_model": 512, "d_kv": 64, "d_ff": 2048,
             "num_heads": 8, "num_layers": 6}  # fmt: skip
# Fields of a source's config.json that are not copied: they are written anew,
# follow from the activations, or describe the machine or the library.
_REPLACED = ("torch_dtype", "dtype", "dense_act_fn", "is_gated_act",
             "_name_or_path", "transformers_version")  # fmt: skip
# `T5Config` has no fields for these.
CONSTANTS = {
  "relative_attention_num_buckets": 32,
  "relative_attention_max_distance": 128,
  "layer_norm_epsilon": 1e-6,
}
# T5's gelu is the tanh approximation, as Flax's gelu is.
_ACTIVATIONS = {
  "linear": "linear",
  "relu": "relu",
  "gelu": "gelu_new",
  "silu": "silu",
  "swish": "silu",
  "tanh": "tanh",
  "sigmoid": "sigmoid",
}


def _table() -> dict[str, str]:
  """Returns Hugging Face's names by T5X's, with `{}` for a layer's number."""
  table = {
    "token_embedder/embedding": EMBEDDING,
    "decoder/logits_dense/kernel": LOGITS,
  }
  for stack, blocks in _BLOCKS.items():
    table[f"{stack}/{stack}_norm/scale"] = f"{stack}.final_layer_norm.weight"
    table[f"{stack}/relpos_bias/rel_embedding"] = (
      f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    )
    for i, (norm, block, name, kernels) in enumerate(blocks):
      ours, theirs = f"{stack}/layers_{{}}", f"{stack}.block.{{}}.layer.{i}"
      table[f"{ours}/{norm}/scale"] = f"{theirs}.layer_norm.weight"
      for kernel, letter in kernels.items():
        table[f"{ours}/{block}/{kernel}/kernel"] = (
          f"{theirs}.{name}.{letter}.weight"
        )
  return table


_TO_HUGGINGFACE = _table()
_FROM_HUGGINGFACE = {theirs: ours for ours, theirs in _TO_HUGGINGFACE.items()}


def to_huggingface(name: str) -> tuple[str, bool] | None:
  """Converts T5X's name of a parameter.

  Returns:
    Hugging Face's name and whether the array is transposed there; None if T5
    has no such parameter.
  """
  number = re.search(r"layers_(\d+)", name)
  theirs = _TO_HUGGINGFACE.get(re.sub(r"layers_\d+", "layers_{}", name))
  if theirs is None:
    return None
  return theirs.format(number and number[1]), _is_transposed(name)


def from_huggingface(name: str) -> tuple[str, bool] | None:
  """Converts Hugging Face's name of a parameter.

  Returns:
    T5X's name and whether the array is transposed there; None if T5 has no
    such parameter.
  """
  number = re.search(r"block\.(\d+)\.", name)
  pattern = re.sub(r"block\.\d+\.", "block.{}.", name)
  ours = _FROM_HUGGINGFACE.get(name) or _FROM_HUGGINGFACE.get(pattern)
  if ours is None:
    return None
  return ours.format(number and number[1]), _is_transposed(ours)


def _is_transposed(name: str) -> bool:
  return name.endswith(("/kernel", "/rel_embedding"))


def declared(config: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the fields of `T5Config` and the constants of a config.json."""
  settings = {**_DEFAULTS, **CONSTANTS, **config}
  settings.setdefault("num_decoder_layers", settings["num_layers"])
  projection = settings.get("feed_forward_proj", "relu")
  return {
    **{ours: settings[theirs] for ours, theirs in _FIELDS.items()},
    **{name: settings[name] for name in CONSTANTS},
    "mlp_activations": _activations(projection),
  }


def scales_logits(config: Mapping[str, Any]) -> bool:
  """Returns whether the decoder's output is scaled by d_model**-0.5."""
  # transformers 5 has a field for it, and ties the embeddings of all models.
  tied = config.get("tie_word_embeddings", True)
  return bool(config.get("scale_decoder_outputs", tied))


def _activations(projection: str) -> tuple[str, ...]:
  """Returns `T5Config.mlp_activations` of a `feed_forward_proj`."""
  if projection == "gated-gelu":
    return ("gelu", "linear")
  name = projection.removeprefix("gated-")
  # A plain 'gelu' is the exact one in transformers. T5Config does not have it,
  # so that the check of the network reports it.
  ours = [k for k, v in _ACTIVATIONS.items() if v == name]
  first = ours[0] if ours else f"{name} (of transformers)"
  return (first, "linear") if projection.startswith("gated-") else (first,)


def config_json(
  sizes: Mapping[str, Any],
  activations: tuple[str, ...],
  dtype: str,
  source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Returns the config.json of a network.

  Args:
    sizes: The result of `tensors.sizes`.
    activations: `T5Config.mlp_activations`.
    dtype: The type of the weights, 'float32' or 'bfloat16'.
    source: The config.json of the checkpoint. Its fields other than sizes,
      types and activations are copied.

  Raises:
    UserError: Hugging Face's T5 has no such feed-forward block.
  """
  kept = {k: v for k, v in (source or {}).items() if k not in _REPLACED}
  if source and declared(source)["mlp_activations"] == activations:
    projection = source.get("feed_forward_proj", "relu")
  else:
    projection = _projection(activations)
  return {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    **CONSTANTS,
    "is_encoder_decoder": True,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "use_cache": True,
    **kept,
    **{theirs: sizes[ours] for ours, theirs in _FIELDS.items()},
    "feed_forward_proj": projection,
    # False means T5.1.1: an output layer, and no scaling.
    "tie_word_embeddings": sizes["logits_via_embedding"],
    "torch_dtype": dtype,
  }


def _projection(activations: tuple[str, ...]) -> str:
  """Returns the `feed_forward_proj` of `T5Config.mlp_activations`."""
  gated = len(activations) == 2 and activations[1] == "linear"
  known = _ACTIVATIONS.get(activations[0])
  if known is None or not (gated or len(activations) == 1):
    raise errors.UserError(
      f"Hugging Face's T5 has no mlp_activations {activations}.",
      expected="('relu',), ('gelu', 'linear') or another of these kinds",
      found=repr(activations),
      remedy="keep the checkpoint in T5X's format",
    )
  if not gated:
    return known
  return "gated-gelu" if known == "gelu_new" else f"gated-{known}"
