"""What a trained student takes, measured on this machine or counted."""

import itertools
import time
from collections.abc import Mapping
from typing import Any

from distill import gin_run
from distill.comparison import economics, flags
from distill.comparison.grid import Cell, Grid
from distill.data.methods import METHODS

_TIMED_BATCHES = 4


def costs(
  grid: Grid, cell: Cell, steps: int, checkpoint: str
) -> Mapping[str, float]:
  """Returns a student's costs.

  `parameters`; `training_flops`; of one prediction `prediction_flops` and
  `memory_bytes`, for inputs and targets of their full lengths; and for the
  first seed, `prediction_seconds`: wall time in batches of BATCH_SIZE.
  """
  import gin

  told = flags.flags_of(grid, cell, "evaluate")
  told += [f"--gin.CHECKPOINT_PATH='{checkpoint}'", "--gin.EVAL_OUTPUT_DIR=''"]
  bound = gin.get_bindings(gin_run.configure("evaluate", told))
  config = bound["model"].module.config
  dataset = bound["dataset_cfg"]
  lengths = [dataset.task_feature_lengths[key] for key in ("inputs", "targets")]
  timed = cell.seed == grid.seeds[0]
  found = {
    "parameters": economics.parameters(config),
    "prediction_flops": economics.forward_flops(config, *lengths),
    "memory_bytes": economics.memory_bytes(config, *lengths),
    "training_flops": 0.0,
  }
  if timed:
    found["prediction_seconds"] = _prediction_seconds(**bound)
  if METHODS[cell.method].train:
    told = [*flags.flags_of(grid, cell, "train"), "--gin.MODEL_DIR=''"]
    bound = gin.get_bindings(gin_run.configure("train", told))
    rows = steps * bound["train_dataset_cfg"].batch_size
    forward = economics.forward_flops(config, *lengths)
    found["training_flops"] = 3.0 * rows * forward
  return found


def _prediction_seconds(
  *,
  model: Any,
  dataset_cfg: Any,
  checkpoint_path: str,
  partitioner: Any,
  **unused: Any,
) -> float:
  """Returns the wall time of one prediction, after a batch to warm up."""
  import tensorflow_datasets as tfds

  from distill.data import feature_converters
  from distill.evaluation import inference, prediction, student

  del unused
  params, _ = student.restore(model, dataset_cfg, partitioner, checkpoint_path)
  [task, *_] = inference.tasks_to_infer(dataset_cfg)
  size, lengths = dataset_cfg.batch_size, dict(dataset_cfg.task_feature_lengths)
  examples = task.get_dataset(lengths, split=dataset_cfg.split, shuffle=False)
  converter = feature_converters.LossGroupFeatureConverter(pack=False)
  features = tfds.as_numpy(converter(examples, lengths))
  rows = list(itertools.islice(features, _TIMED_BATCHES * size))
  predictor = prediction.Predictor(model, partitioner, size)
  list(predictor.decode(params, rows[:size]))
  begun = time.perf_counter()
  list(predictor.decode(params, rows))
  return (time.perf_counter() - begun) / len(rows)
