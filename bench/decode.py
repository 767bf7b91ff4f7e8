"""Speed of greedy decoding for a named gin file, with random weights.

python bench/decode.py --batches=5 \\
  --gin_file=experiments/last_letters_tiny_finetune.gin

Random weights seldom end a sequence early: most decode to the full length.
`--whole` pads all inputs to their whole length, as up to version 0.2.0.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import measure
import numpy as np

from distill import errors, gin_run


def main(argv: Sequence[str]) -> None:
  """Decodes a few real batches and prints the speed."""
  parser = argparse.ArgumentParser(add_help=False)
  parser.add_argument("--batches", type=int, default=5)
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

  bound = gin.get_bindings(evaluate)
  print(benchmark(options.batches, options.whole, **bound))


def benchmark(
  count: int,
  whole: bool,
  *,
  model: Any,
  dataset_cfg: Any,
  partitioner: Any,
  **unused: Any,
) -> str:
  """Returns the report on decoding `count` batches."""
  import dataclasses

  import jax
  import optax

  from distill.data import pipeline
  from distill.evaluation import predictions
  from distill.training import state as state_lib

  del unused
  config = dataclasses.replace(dataset_cfg, shuffle=False, pack=False)
  batches = pipeline.TrainBatches(config)
  abstract = state_lib.abstract_state(
    model, optax.identity(), partitioner, batches.shapes
  )
  params = state_lib.random_params(
    model, partitioner, batches.shapes, abstract, jax.random.key(0)
  )
  predictor = predictions.Predictor(model, partitioner, config.batch_size)
  if whole:
    predictions.SHORTEST = batches.shapes["encoder_input_tokens"][1]
  kept = [next(batches) for _ in range(count)]
  rows = [
    {name: array[i] for name, array in batch.items()}
    for batch in kept
    for i in range(config.batch_size)
  ]
  begun = time.perf_counter()
  list(predictor.decode(params, rows))  # compiles each length
  meter = measure.Meter(time.perf_counter() - begun)
  meter.start()
  outputs = np.stack([best for (best, *_), _ in predictor.decode(params, rows)])
  inputs = np.stack([row["encoder_input_tokens"] for row in rows])
  meter.add(len(rows), inputs, outputs)
  return meter.report(
    f"decoding {config.mixture_or_task_name}: {count} batches of"
    f" {config.batch_size} rows on {jax.device_count()} {jax.default_backend()}"
    " (compile seconds include a first pass)"
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
