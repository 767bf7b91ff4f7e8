"""Speed of training for a named gin file.

python bench/train.py --steps=50 \\
  --gin_file=experiments/last_letters_tiny_finetune.gin
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import measure

from distill import errors, gin_run

_WARM_UP = 3


def main(argv: Sequence[str]) -> None:
  """Trains a few steps on real batches and prints the speed."""
  parser = argparse.ArgumentParser(add_help=False)
  parser.add_argument("--steps", type=int, default=50)
  options, rest = parser.parse_known_args(argv)
  # Nothing is written; the run file merely demands a name.
  train = gin_run.configure("train", ["--gin.MODEL_DIR=unused", *rest])
  if train is None:
    return
  import gin

  print(benchmark(options.steps, **gin.get_bindings(train)))


def benchmark(
  steps: int,
  *,
  model: Any,
  optimizer: Any,
  learning_rate_fn: Any,
  train_dataset_cfg: Any,
  partitioner: Any,
  num_microbatches: int,
  **unused: Any,
) -> str:
  """Returns the report on `steps` steps, reading the batches included."""
  import jax

  from distill.data import pipeline
  from distill.training import state as state_lib
  from distill.training import step as step_lib

  del unused
  batches = pipeline.TrainBatches(train_dataset_cfg)
  transformation = optimizer(learning_rate_fn)
  key = jax.random.key(0)
  abstract = state_lib.abstract_state(
    model, transformation, partitioner, batches.shapes
  )
  params = state_lib.random_params(
    model, partitioner, batches.shapes, abstract, key
  )
  state = state_lib.start(params, transformation, abstract)
  train_step, seconds = step_lib.compile_step(
    step_lib.make_train_step(
      model, transformation, learning_rate_fn, num_microbatches
    ),
    partitioner,
    abstract,
    partitioner.abstract_batch(batches.shapes),
    key,
  )
  meter = measure.Meter(seconds)
  for step in range(_WARM_UP + steps):
    if step == _WARM_UP:
      jax.block_until_ready(state)
      meter.start()
    batch = next(batches)
    state, _ = train_step(state, partitioner.shard_batch(batch), key)
    if step >= _WARM_UP:
      meter.add(
        measure.count_examples(batch),
        batch["encoder_input_tokens"],
        batch["decoder_target_tokens"],
      )
  jax.block_until_ready(state)
  config = train_dataset_cfg
  return meter.report(
    f"training {config.mixture_or_task_name}: {steps} steps of"
    f" {config.batch_size} rows on {jax.device_count()} {jax.default_backend()}"
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
