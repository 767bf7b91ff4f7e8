"""Speed of reading training batches for a named gin file, without a model.

python bench/read_batches.py --batches=200 \\
  --gin_file=experiments/last_letters_tiny_finetune.gin
"""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import measure

from distill import errors, gin_run

_WARM_UP = 3


def main(argv: Sequence[str]) -> None:
  """Reads batches and prints the speed."""
  parser = argparse.ArgumentParser(add_help=False)
  parser.add_argument("--batches", type=int, default=200)
  options, rest = parser.parse_known_args(argv)
  # The run file requires both; nothing is written and nothing is trained.
  unused = ["--gin.MODEL_DIR=unused", "--gin.INITIAL_CHECKPOINT_PATH=[]"]
  train = gin_run.configure("train", [*unused, *rest])
  if train is None:
    return
  import gin

  bindings = gin.get_bindings(train)
  print(benchmark(options.batches, bindings["train_dataset_cfg"]))


def benchmark(count: int, config: Any) -> str:
  """Returns the report on reading `count` batches, after a few more."""
  from distill.data import pipeline

  before = measure.peak_gib()
  begun = time.perf_counter()
  batches = pipeline.TrainBatches(config)
  for _ in range(_WARM_UP):
    next(batches)
  meter = measure.Meter(time.perf_counter() - begun)
  meter.start()
  for _ in range(count):
    batch = next(batches)
    meter.add(
      measure.count_examples(batch),
      batch["encoder_input_tokens"],
      batch["decoder_target_tokens"],
    )
  report = meter.report(
    f"reading {config.mixture_or_task_name}: {count} batches of"
    f" {config.batch_size} rows, packed: {config.pack} (compile seconds are"
    " those before the first batch)"
  )
  beyond = f"{measure.peak_gib() - before:.3f}"
  return f"{report}\n  {'memory of the data, GiB':<26}{beyond:>12}"


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
