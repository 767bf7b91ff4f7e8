"""T5X's own training step or decoding, for `bench/compare.py`.

python bench/t5x_program.py train --gin_file=… --gin.NAME=…

T5X must be importable (docs/t5x.md). The gin files are read by the T5X half of
gin_configs. The weights are random; nothing is written.
"""

import argparse
import importlib
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import measure

from distill import errors, gin_run

RUN_FILE = "runs/finetune.gin"
_PREFIX = "--gin."


def main(argv: Sequence[str]) -> None:
  """Compiles T5X's program and serves it (`measure.serve`)."""
  script = importlib.import_module("t5x.train")  # fails at once if absent
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument("program", choices=("train", "decode"))
  parser.add_argument("--gin_file", action="append", default=[])
  options, rest = parser.parse_known_args(argv)
  bindings = [text.removeprefix(_PREFIX) for text in rest]
  bound = configure(script, [RUN_FILE, *options.gin_file], bindings)
  run = {"train": training, "decode": decoding}[options.program](bound)
  run(1)
  measure.serve(run)


def configure(
  script: Any, files: Sequence[str], bindings: Sequence[str]
) -> dict[str, Any]:
  """Returns what gin binds to `t5x.train.train`."""
  import gin

  sys.modules["__main__"] = script  # which the run file binds
  gin.config._LOCATION_PREFIXES[:] = ["", str(gin_run.GIN_CONFIGS)]
  gin.parse_config_files_and_bindings(files, bindings)
  bound: dict[str, Any] = gin.get_bindings(script.train)
  return bound


def training(bound: dict[str, Any]) -> Callable[[int], None]:
  """Returns T5X's trainer as a function that takes steps."""
  import jax

  model, partitioner = bound["model"], bound["partitioner"]
  batches, shapes = _data(bound, bound["train_dataset_cfg"])
  key = jax.random.PRNGKey(0)
  initializer = _initializer(bound, shapes)
  trainer = bound["trainer_cls"](
    model=model,
    train_state=initializer.from_scratch(key),
    partitioner=partitioner,
    eval_names=(),
    summary_dir=None,
    train_state_axes=initializer.train_state_axes,
    rng=key,
  )
  from t5x import utils

  iterator = utils.prepare_train_iter(
    batches,
    checkpoint_cfg=bound["checkpoint_cfg"],
    partitioner=partitioner,
    data_layout=partitioner.get_data_layout(
      bound["train_dataset_cfg"].batch_size
    ),
  )
  trainer.compile_train(next(iterator))

  def run(steps: int) -> None:
    trainer.train(iterator, steps).result()
    jax.block_until_ready(trainer.train_state)

  return run


def decoding(bound: dict[str, Any]) -> Callable[[int], None]:
  """Returns T5X's prediction as a function that decodes batches."""
  import jax
  import tensorflow as tf
  from t5x import utils

  model, config = bound["model"], bound["infer_eval_dataset_cfg"]
  batches, shapes = _data(bound, config)
  initializer = _initializer(bound, shapes)
  state = initializer.from_scratch(jax.random.PRNGKey(0))
  infer = utils.get_infer_fn(
    model.predict_batch,
    config.batch_size,
    initializer.train_state_axes,
    bound["partitioner"],
  )
  [batch] = itertools.islice(batches.as_numpy_iterator(), 1)
  rows = tf.data.Dataset.from_tensor_slices(batch)

  def run(count: int) -> None:
    for _ in range(count):
      infer(rows.enumerate(), state)

  return run


def _data(bound: dict[str, Any], config: Any) -> tuple[Any, dict[str, Any]]:
  """Returns the batches of a data configuration, and the arrays' shapes."""
  from t5x import utils

  batches = utils.get_dataset(
    config, 0, 1, bound["model"].FEATURE_CONVERTER_CLS
  )
  shapes = {
    name: (config.batch_size, *spec.shape[1:])
    for name, spec in batches.element_spec.items()
  }
  return batches, shapes


def _initializer(bound: dict[str, Any], shapes: dict[str, Any]) -> Any:
  from t5x import utils

  model = bound["model"]
  return utils.TrainStateInitializer(
    optimizer_def=model.optimizer_def,
    init_fn=model.get_initial_variables,
    input_shapes=shapes,
    partitioner=bound["partitioner"],
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
