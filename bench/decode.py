"""Speed of decoding for a named gin file, with random weights.

python bench/decode.py --batches=5 \\
  --gin_file=experiments/last_letters_tiny_finetune.gin

Random weights seldom end a sequence early: most decode to the full length.
`--whole` pads all inputs to their whole length, as up to version 0.2.0.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import measure
import numpy as np

from distill import errors, gin_run


def main(argv: Sequence[str]) -> None:
  """Decodes a few real batches and prints the speed."""
  parser = argparse.ArgumentParser(add_help=False)
  parser.add_argument("--batches", type=int, default=5)
  parser.add_argument("--serve", action="store_true", help="measure.serve")
  parser.add_argument("--save", help="an .npz file for batches and sizes")
  parser.add_argument("--whole", action="store_true")
  options, rest = parser.parse_known_args(argv)
  # The run file requires both; the weights are random, nothing is written.
  unused = [
    "--gin.CHECKPOINT_PATH=starters/bytes",
    "--gin.EVAL_OUTPUT_DIR=unused",
  ]
  evaluate = gin_run.configure("evaluate", [*unused, *rest])
  if evaluate is None:
    return
  import gin

  decoder = Decoder(**gin.get_bindings(evaluate))
  if options.save:
    measure.save(options.save, decoder.batches, decoder.network)
  if options.serve:
    rows = decoder.rows(1)
    decoder.decode(rows)
    measure.serve(lambda count: decoder.decode(rows * count))
  else:
    print(benchmark(options.batches, options.whole, decoder))


class Decoder:
  """Random weights that decode; parameters are gin's for evaluate.

  Attributes:
    config: The `DatasetConfig`.
    network: The `T5Config`.
    batches: Batches of the data.
  """

  def __init__(
    self, *, model: Any, dataset_cfg: Any, partitioner: Any, **unused: Any
  ) -> None:
    """Makes the weights."""
    import dataclasses

    import jax
    import optax

    from distill.data import pipeline
    from distill.evaluation import predictions
    from distill.training import state as state_lib

    del unused
    self.network = model.module.config
    self.config = dataclasses.replace(dataset_cfg, shuffle=False, pack=False)
    self.batches = pipeline.TrainBatches(self.config)
    shapes = self.batches.shapes
    abstract = state_lib.abstract_state(
      model, optax.identity(), partitioner, shapes
    )
    self._params = state_lib.random_params(
      model, partitioner, shapes, abstract, jax.random.key(0)
    )
    self._predictor = predictions.Predictor(
      model, partitioner, self.config.batch_size
    )

  def rows(self, count: int) -> list[Mapping[str, np.ndarray]]:
    """Returns the rows of the next `count` batches."""
    kept = [next(self.batches) for _ in range(count)]
    return [
      {name: array[i] for name, array in batch.items()}
      for batch in kept
      for i in range(self.config.batch_size)
    ]

  def decode(self, rows: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Returns the best decode of each row."""
    return np.stack(
      [best for (best, *_), _ in self._predictor.decode(self._params, rows)]
    )


def benchmark(count: int, whole: bool, decoder: Decoder) -> str:
  """Returns the report on decoding `count` batches."""
  import jax

  from distill.evaluation import predictions

  if whole:
    predictions.SHORTEST = decoder.batches.shapes["encoder_input_tokens"][1]
  rows = decoder.rows(count)
  begun = time.perf_counter()
  decoder.decode(rows)  # compiles each length
  meter = measure.Meter(time.perf_counter() - begun)
  meter.start()
  outputs = decoder.decode(rows)
  inputs = np.stack([row["encoder_input_tokens"] for row in rows])
  meter.add(len(rows), inputs, outputs)
  config = decoder.config
  return meter.report(
    f"decoding {config.mixture_or_task_name}: {count} batches of"
    f" {config.batch_size} rows on {jax.device_count()} {jax.default_backend()}"
    " (compile seconds include a first pass)"
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
