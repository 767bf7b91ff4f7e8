"""config.json of a Hugging Face T5, to and from the fields of `T5Config`."""

from collections.abc import Mapping
from typing import Any

from distill import errors

# By our name; the constants are not settable here.
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
# Of another file: written anew, derived from the activations, or of the machine
# and the library that wrote it.
_REPLACED = ("torch_dtype", "dtype", "dense_act_fn", "is_gated_act",
             "_name_or_path", "transformers_version")  # fmt: skip
CONSTANTS = {
  "relative_attention_num_buckets": 32,
  "relative_attention_max_distance": 128,
  "layer_norm_epsilon": 1e-6,
}
# T5's gelu is the tanh approximation, there and in Flax.
_TO_HUGGINGFACE = {
  "linear": "linear",
  "relu": "relu",
  "gelu": "gelu_new",
  "silu": "silu",
  "swish": "silu",
  "tanh": "tanh",
  "sigmoid": "sigmoid",
}
_FROM_HUGGINGFACE = {
  theirs: ours for ours, theirs in _TO_HUGGINGFACE.items() if ours != "swish"
}


def declared(config: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what a config.json says, as fields of `T5Config` and constants."""
  settings = {**_DEFAULTS, **CONSTANTS, **config}
  settings.setdefault("num_decoder_layers", settings["num_layers"])
  fields = {ours: settings[theirs] for ours, theirs in _FIELDS.items()}
  fields |= {name: settings[name] for name in CONSTANTS}
  fields["mlp_activations"] = _activations(
    settings.get("feed_forward_proj", "relu")
  )
  return fields


def scales_logits(config: Mapping[str, Any]) -> bool:
  """Returns whether the decoder's output is scaled by d_model**-0.5."""
  # transformers 5 says it in a field of its own, and calls all models tied.
  tied = config.get("tie_word_embeddings", True)
  return bool(config.get("scale_decoder_outputs", tied))


def _activations(projection: str) -> tuple[str, ...]:
  """Returns ours of a `feed_forward_proj`; an unknown one keeps its name."""
  if projection == "gated-gelu":
    return ("gelu", "linear")
  name = projection.removeprefix("gated-")
  # A plain 'gelu' there is the exact one, which is none of ours.
  first = _FROM_HUGGINGFACE.get(name, f"{name} (of transformers)")
  return (first, "linear") if projection.startswith("gated-") else (first,)


def config_json(
  sizes: Mapping[str, Any],
  activations: tuple[str, ...],
  dtype: str,
  source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Returns the config.json of a network.

  Args:
    sizes: As of `network_sizes.sizes`.
    activations: Of `T5Config`.
    dtype: Of the weights, 'float32' or 'bfloat16'.
    source: The config.json that the weights came with; what it says of other
      things than sizes, types and activations is kept.

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
    # False is T5.1.1: an output layer of its own, and no scaling.
    "tie_word_embeddings": sizes["logits_via_embedding"],
    "torch_dtype": dtype,
  }


def _projection(activations: tuple[str, ...]) -> str:
  gated = len(activations) == 2 and activations[1] == "linear"
  known = _TO_HUGGINGFACE.get(activations[0])
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
