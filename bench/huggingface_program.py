"""A plain Hugging Face loop in PyTorch, for `bench/compare.py`.

python bench/huggingface_program.py train --batches=FILE.npz

FILE is what `bench/train.py --save` wrote: token batches and the network's
sizes. The weights are random. It needs PyTorch and transformers, and nothing of
this project, so that it runs in an environment of its own.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import measure
import numpy as np
import torch
import transformers

# Each (input_ids, labels), [batch, length].
Tokens = tuple[torch.Tensor, torch.Tensor]


def main() -> None:
  """Makes the model and serves it (`measure.serve`)."""
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument("program", choices=("train", "decode"))
  parser.add_argument("--batches", required=True)
  parser.add_argument("--passes", type=int, default=1, help="of one step")
  parser.add_argument("--beams", type=int, default=1)
  options = parser.parse_args()
  torch.manual_seed(0)
  arrays = np.load(options.batches)
  model = network(json.loads(str(arrays["sizes"])))
  steps = itertools.cycle(tokens(arrays, options.passes))
  if options.program == "train":
    run = training(model, steps)
  else:
    run = decoding(model, next(steps)[0][0], options.beams, arrays)
  run(1)
  measure.serve(run)


def network(sizes: dict[str, Any]) -> Any:
  """Returns a T5.1.1 of a `T5Config`'s sizes, without dropout."""
  return transformers.T5ForConditionalGeneration(
    transformers.T5Config(
      vocab_size=sizes["vocab_size"],
      d_model=sizes["emb_dim"],
      num_heads=sizes["num_heads"],
      num_layers=sizes["num_encoder_layers"],
      num_decoder_layers=sizes["num_decoder_layers"],
      d_kv=sizes["head_dim"],
      d_ff=sizes["mlp_dim"],
      feed_forward_proj="gated-gelu",
      dropout_rate=0.0,
      tie_word_embeddings=False,
      decoder_start_token_id=0,
    )
  )


def tokens(arrays: Any, passes: int) -> Iterator[list[Tokens]]:
  """Yields a step's batches, without the columns that are padding alone.

  With two passes, the first has the label rows and the second the rationale
  rows, which stand in turn.
  """
  for inputs, targets in zip(
    arrays["encoder_input_tokens"],
    arrays["decoder_target_tokens"],
    strict=True,
  ):
    yield [
      (trimmed(inputs[first::passes]), trimmed(targets[first::passes]))
      for first in range(passes)
    ]


def trimmed(rows: np.ndarray) -> torch.Tensor:
  """Returns rows as long as the longest, as a data collator pads them."""
  longest = int((rows != 0).sum(axis=1).max())
  return torch.from_numpy(rows[:, :longest].astype(np.int64))


def training(
  model: Any, steps: Iterator[list[Tokens]]
) -> Callable[[int], None]:
  """Returns a function that takes optimizer steps, one backward pass a batch.

  The losses of a step's batches are weighed alike, as with ALPHA = 0.5.
  """
  optimizer = transformers.Adafactor(
    model.parameters(), lr=1e-3, relative_step=False
  )
  model.train()

  def run(count: int) -> None:
    for _ in range(count):
      batches = next(steps)
      for inputs, targets in batches:
        loss = model(
          input_ids=inputs,
          attention_mask=(inputs != 0).long(),
          labels=targets.masked_fill(targets == 0, -100),
        ).loss
        (loss / len(batches)).backward()
      optimizer.step()
      optimizer.zero_grad()

  return run


def decoding(
  model: Any, inputs: torch.Tensor, beams: int, arrays: Any
) -> Callable[[int], None]:
  """Returns a function that decodes the inputs to the targets' whole length."""
  length = arrays["decoder_target_tokens"].shape[-1]
  model.eval()

  def run(count: int) -> None:
    for _ in range(count):
      model.generate(
        input_ids=inputs,
        attention_mask=(inputs != 0).long(),
        num_beams=beams,
        do_sample=False,
        min_new_tokens=length,
        max_new_tokens=length,
      )

  return run


if __name__ == "__main__":
  main()
