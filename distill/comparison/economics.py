"""What a student costs against its teacher: money, FLOPs, memory, time."""

import itertools
import math
import time
from typing import Any

from distill import gin_run
from distill.comparison.cell import Cell
from distill.comparison.results import Results, Teacher
from distill.comparison.statistics import Group
from distill.data.methods import METHODS
from distill.model import costs as formulas
from distill.model.config import T5Config

_TIMED_BATCHES = 4


def memory_bytes(config: T5Config, inputs: int, targets: int) -> int:
  """Returns the memory of one prediction: float32 weights, keys, values."""
  attended = config.num_heads * config.head_dim
  number = 4 if config.dtype == "float32" else 2
  cached = config.num_decoder_layers * 2 * attended * (inputs + targets)
  return 4 * formulas.parameters(config) + number * cached


def asked_teacher(results: Results, student: Group) -> Teacher | None:
  """Returns the teacher of a student's training split; None without one."""
  wanted = student.first.teacher, student.first.task, "train"
  return next(
    (t for t in results.teachers if (t.name, t.task, t.split) == wanted), None
  )


def balance(results: Results, student: Group) -> dict[str, float | None]:
  """Returns the costs of a student and of its teacher; None is unknown.

  The teacher's cost is that of the whole cache. A query to the teacher costs as
  much as one answer of the cache, at 2 FLOPs a parameter and token. After "pays
  after" queries, the cache, the training and the queries to the student have
  cost less than the same queries to the teacher.
  """
  first = student.first
  asked = asked_teacher(results, student)
  spent = [row.cpu_seconds for row in student.rows if row.cpu_seconds]
  hour = results.cpu_hour_price
  cpu_seconds = sum(spent) / len(spent) if spent else None
  seconds = first.student.get("prediction_seconds")
  training = first.student.get("training_flops")
  query = first.student.get("prediction_flops")
  dollars, flops, answers = None, None, 1
  if asked:
    dollars, answers = asked.cost, max(1, asked.answers)
    tokens = asked.prompt_tokens + asked.completion_tokens
    # An imported cache does not know its tokens.
    flops = _times(2.0 * tokens or None, asked.parameters)
  return {
    "teacher $": dollars,
    "training FLOPs": training,
    "CPU s": cpu_seconds,
    "FLOPs a query": query,
    "MB": _times(first.student.get("memory_bytes"), 1e-6),
    "ms a query": _times(seconds, 1e3),
    "teacher $ a query": _times(dollars, 1 / answers),
    "teacher FLOPs a query": _times(flops, 1 / answers),
    "pays after ($)": _break_even(
      dollars,
      _times(cpu_seconds, _times(hour, 1 / 3600)),
      _times(seconds, _times(hour, 1 / 3600)),
      answers,
    ),
    "pays after (FLOPs)": _break_even(flops, training, query, answers),
  }


def _times(value: float | None, factor: float | None) -> float | None:
  return None if value is None or factor is None else value * factor


def _break_even(
  teacher: float | None,
  training: float | None,
  query: float | None,
  answers: int,
) -> float | None:
  """Returns (teacher + training) / (teacher's query - student's query)."""
  if teacher is None or training is None or query is None:
    return None
  saved = teacher / answers - query
  return (teacher + training) / saved if saved > 0 else math.inf


def costs(cell: Cell, steps: int, checkpoint: str) -> dict[str, float]:
  """Returns a student's costs.

  `parameters`; `training_flops`; `label_rows`, the training rows with a label
  in their targets, unless rows are packed; for inputs and targets of their full
  lengths, `prediction_flops` and `memory_bytes` of one prediction; and for the
  first seed, `prediction_seconds`: wall time in batches of BATCH_SIZE.
  """
  import gin

  from distill.data import prefixes

  flags = cell.flags("evaluate")
  flags += [f"--gin.CHECKPOINT_PATH='{checkpoint}'", "--gin.EVAL_OUTPUT_DIR=''"]
  bound = gin.get_bindings(gin_run.configure("evaluate", flags))
  config = bound["model"].module.config
  dataset = bound["dataset_cfg"]
  lengths = [dataset.task_feature_lengths[key] for key in ("inputs", "targets")]
  found = {
    "parameters": formulas.parameters(config),
    "prediction_flops": formulas.forward_flops(config, *lengths),
    "memory_bytes": memory_bytes(config, *lengths),
    "training_flops": 0.0,
  }
  if cell.seed == cell.grid.seeds[0]:
    found["prediction_seconds"] = _prediction_seconds(**bound)
  if cell.is_trained:
    flags = [*cell.flags("train"), "--gin.MODEL_DIR=''"]
    bound = gin.get_bindings(gin_run.configure("train", flags))
    rows = steps * bound["train_dataset_cfg"].batch_size
    forward = formulas.forward_flops(config, *lengths)
    found["training_flops"] = 3.0 * rows * forward
    if not bound["train_dataset_cfg"].pack:
      method = METHODS[cell.method]
      both = method.train.endswith("_paired") and prefixes.on_decoder()
      found["label_rows"] = rows * (1.0 if both else method.label_share)
  return found


def _prediction_seconds(
  *,
  model: Any,
  dataset_cfg: Any,
  checkpoint_path: str,
  partitioner: Any,
  **unused: Any,
) -> float:
  """Returns the wall time of one prediction, after all of them to warm up."""
  import tensorflow_datasets as tfds

  from distill.data import feature_converters
  from distill.evaluation import predictions

  del unused
  params, _ = predictions.restore(
    model, dataset_cfg, partitioner, checkpoint_path
  )
  [task, *_] = predictions.tasks_to_infer(dataset_cfg)
  size, lengths = dataset_cfg.batch_size, dict(dataset_cfg.task_feature_lengths)
  examples = task.get_dataset(lengths, split=dataset_cfg.split, shuffle=False)
  converter = feature_converters.LossGroupFeatureConverter(pack=False)
  features = tfds.as_numpy(converter(examples, lengths))
  rows = list(itertools.islice(features, _TIMED_BATCHES * size))
  predictor = predictions.Predictor(model, partitioner, size)
  list(predictor.decode(params, rows))
  begun = time.perf_counter()
  list(predictor.decode(params, rows))
  return (time.perf_counter() - begun) / len(rows)
