"""Speed of training for a named gin file.

python bench/train.py --steps=50 \\
  --gin_file=experiments/last_letters_tiny_finetune.gin
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import measure

from distill import errors, gin_run

_WARM_UP = 3


def main(argv: Sequence[str]) -> None:
  """Trains a few steps on real batches and prints the speed."""
  parser = argparse.ArgumentParser(add_help=False)
  parser.add_argument("--steps", type=int, default=50)
  parser.add_argument("--serve", action="store_true", help="measure.serve")
  parser.add_argument("--save", help="an .npz file for batches and sizes")
  options, rest = parser.parse_known_args(argv)
  # Nothing is written; the run file merely demands a name.
  train = gin_run.configure("train", ["--gin.MODEL_DIR=unused", *rest])
  if train is None:
    return
  import gin

  bound = gin.get_bindings(train)
  training = Training(**bound)
  if options.save:
    measure.save(options.save, training.batches, training.network)
  if options.serve:
    training.run(1)
    measure.serve(training.run)
  else:
    print(benchmark(options.steps, training))


class Training:
  """A compiled step with its state and data; parameters are gin's for train.

  Attributes:
    config: The `DatasetConfig`.
    network: The `T5Config`.
    batches: The training batches.
    compile_seconds: What compiling took.
  """

  def __init__(
    self,
    *,
    model: Any,
    optimizer: Any,
    learning_rate_fn: Any,
    train_dataset_cfg: Any,
    partitioner: Any,
    num_microbatches: int,
    **unused: Any,
  ) -> None:
    """Makes random weights and compiles the step."""
    import jax

    from distill.data import pipeline
    from distill.training import state as state_lib
    from distill.training import step as step_lib

    del unused
    self.config, self.network = train_dataset_cfg, model.module.config
    self.batches = pipeline.TrainBatches(train_dataset_cfg)
    self._partitioner = partitioner
    self._key = jax.random.key(0)
    shapes = self.batches.shapes
    transformation = optimizer(learning_rate_fn)
    abstract = state_lib.abstract_state(
      model, transformation, partitioner, shapes
    )
    params = state_lib.random_params(
      model, partitioner, shapes, abstract, self._key
    )
    self._state = state_lib.start(params, transformation, abstract)
    self._step, self.compile_seconds = step_lib.compile_step(
      step_lib.make_train_step(
        model, transformation, learning_rate_fn, num_microbatches
      ),
      partitioner,
      abstract,
      partitioner.abstract_batch(shapes),
      self._key,
    )

  def run(
    self, steps: int, on_batch: Callable[[Any], None] = lambda batch: None
  ) -> None:
    """Takes steps, reading the batches included, and waits for the last one."""
    import jax

    for _ in range(steps):
      batch = next(self.batches)
      self._state, _ = self._step(
        self._state, self._partitioner.shard_batch(batch), self._key
      )
      on_batch(batch)
    jax.block_until_ready(self._state)


def benchmark(steps: int, training: Training) -> str:
  """Returns the report on `steps` steps, reading the batches included."""
  import jax

  training.run(_WARM_UP)
  meter = measure.Meter(training.compile_seconds)
  meter.start()

  def count(batch: Any) -> None:
    meter.targets += measure.count_targets(batch)
    meter.add(
      measure.count_examples(batch),
      batch["encoder_input_tokens"],
      batch["decoder_target_tokens"],
    )

  training.run(steps, count)
  config = training.config
  return meter.report(
    f"training {config.mixture_or_task_name}: {steps} steps of"
    f" {config.batch_size} rows on {jax.device_count()} {jax.default_backend()}"
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
