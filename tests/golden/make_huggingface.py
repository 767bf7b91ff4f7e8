"""Writes huggingface.npz: what PyTorch's T5 computes from the recipe.

  pip install torch transformers numpy
  PYTHONPATH=. python tests/golden/make_huggingface.py

On one CPU, in float32. Beam search is without length penalty, and goes on
until no beam can overtake.
"""

import pathlib
import sys

import huggingface_recipe as recipe
import numpy as np
import torch
import transformers

from distill.checkpoint_formats import huggingface_names

FOLDER = pathlib.Path(__file__).parent


def build(variant):
  """Returns Hugging Face's model with the recipe's weights."""
  fields = recipe.VARIANTS[variant]
  kind = "MT5" if variant == "mt5" else "T5"
  gated = len(fields["mlp_activations"]) > 1
  config = getattr(transformers, f"{kind}Config")(
    vocab_size=fields["vocab_size"],
    d_model=fields["emb_dim"],
    d_kv=fields["head_dim"],
    d_ff=fields["mlp_dim"],
    num_layers=fields["num_encoder_layers"],
    num_decoder_layers=fields["num_decoder_layers"],
    num_heads=fields["num_heads"],
    feed_forward_proj="gated-gelu" if gated else "relu",
    tie_word_embeddings=fields["logits_via_embedding"],
    decoder_start_token_id=recipe.PAD,
    pad_token_id=recipe.PAD,
    eos_token_id=recipe.EOS,
    dropout_rate=0.0,
  )
  model = getattr(transformers, f"{kind}ForConditionalGeneration")(config)
  if not fields["logits_via_embedding"]:
    # transformers 5 ties them all the same: the logits need an own tensor.
    model.lm_head.weight = torch.nn.Parameter(
      torch.empty_like(model.lm_head.weight)
    )
  with torch.no_grad():
    for name, parameter in model.named_parameters():
      ours, transposed = huggingface_names.from_huggingface(name)
      shape = tuple(parameter.shape)
      values = recipe.weights(
        variant, ours, shape[::-1] if transposed else shape
      )
      values = np.ascontiguousarray(values.T if transposed else values)
      parameter.copy_(torch.from_numpy(values))
  return model.eval()


def run(variant):
  """Returns logits [rows, forced, vocab], tokens and scores of a variant."""
  model = build(variant)
  inputs, forced = (torch.from_numpy(x).long() for x in recipe.batch(variant))
  mask = (inputs != recipe.PAD).long()
  options = {
    "input_ids": inputs,
    "attention_mask": mask,
    "do_sample": False,
    "max_new_tokens": recipe.DECODED,
  }
  with torch.no_grad():
    logits = model(
      input_ids=inputs, attention_mask=mask, decoder_input_ids=forced
    ).logits
    greedy = model.generate(**options)
    beams = model.generate(
      **options,
      num_beams=recipe.BEAMS,
      num_return_sequences=recipe.BEAMS,
      length_penalty=0.0,
      early_stopping="never",
      return_dict_in_generate=True,
      output_scores=True,
    )
  shape = (recipe.ROWS, recipe.BEAMS)
  return {
    "logits": logits.numpy(),
    "greedy": _without_start(greedy),
    "beams": _without_start(beams.sequences).reshape(*shape, -1),
    "beam_scores": beams.sequences_scores.numpy().reshape(shape),
  }


def _without_start(tokens):
  """Returns int32 tokens [rows, decoded] without the decoder's first.

  Beam search fills up with the end of sequence where greedy has padding.
  """
  tokens = tokens.numpy()[:, 1:].astype(np.int32)
  ends = np.cumsum(tokens == recipe.EOS, axis=1) - (tokens == recipe.EOS)
  tokens = np.where(ends > 0, recipe.PAD, tokens)
  return np.pad(tokens, ((0, 0), (0, recipe.DECODED - tokens.shape[1])))


def main():
  """Writes the file, with the versions that it is from."""
  arrays = {
    f"{variant}/{name}": array
    for variant in recipe.VARIANTS
    for name, array in run(variant).items()
  }
  versions = f"torch {torch.__version__}, transformers "
  arrays["versions"] = np.array(versions + transformers.__version__)
  np.savez_compressed(FOLDER / "huggingface.npz", **arrays)
  print(arrays["versions"], file=sys.stderr)


if __name__ == "__main__":
  main()
