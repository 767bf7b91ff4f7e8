"""Predictions of a model, or its scores of targets, as JSONL a task."""

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from distill import errors
from distill.data import dataset_checks, feature_converters, pipeline
from distill.evaluation import prediction
from distill.model.decoding import UNFILLED
from distill.training.mesh import Partitioner

# Called with the task's name, the examples done, and how many there are.
OnProgress = Callable[[str, int, int], None]


def tasks_to_infer(config: pipeline.DatasetConfig) -> list[seqio.Task]:
  """Returns the tasks that a configuration asks predictions of.

  A task is what it names. Of a mixture these are the tasks with metrics: the
  rationale view is decoded only where it is named itself.

  Raises:
    UserError: The dataset or its split does not exist.
  """
  provider = config.provider()
  if isinstance(provider, seqio.Task):
    return [provider]
  tasks = [t for t in seqio.get_subtasks(provider) if config.split in t.splits]
  return [task for task in tasks if task.metric_fns] or tasks


def output_path(task: seqio.Task, output_dir: str, mode: str) -> epath.Path:
  """Returns where a task's lines of a mode go."""
  return epath.Path(output_dir) / f"{task.name}-{mode}.jsonl"


def check_outputs(
  config: pipeline.DatasetConfig, output_dir: str, mode: str = "predict"
) -> None:
  """Raises UserError if a file of the mode would be overwritten."""
  for task in tasks_to_infer(config):
    path = output_path(task, output_dir, mode)
    if path.exists():
      raise errors.UserError(
        f"Such a file exists already: {path}",
        expected="a new file",
        remedy="move it, or give another INFER_OUTPUT_DIR",
      )


def write_predictions(
  model: Any,
  params: Any,
  config: pipeline.DatasetConfig,
  partitioner: Partitioner,
  output_dir: str,
  on_progress: OnProgress,
  mode: str = "predict",
) -> list[str]:
  """Writes `<task>-<mode>.jsonl` for each task, whole or not at all.

  A line has the example's `id` and `inputs`, and `targets` where they are not
  empty. Of mode 'predict', it has the best `prediction` and its `score`, and
  where there are several, all of them as `decodes`. Of mode 'score', it has the
  `score` of the targets, and how many `tokens` they are.

  Returns:
    The paths, in the order of the tasks.

  Raises:
    UserError: In mode 'score', a target is longer than its feature length.
  """
  predictor = prediction.Predictor(model, partitioner, config.batch_size)
  paths = []
  for task in tasks_to_infer(config):
    path = output_path(task, output_dir, mode)
    total = task.num_input_examples(config.split) or 0
    # The other hosts decode along, and have nowhere to write.
    writes = jax.process_index() == 0
    partial = path.with_suffix(".partial") if writes else epath.Path(os.devnull)
    with partial.open("w", encoding="utf-8") as file:
      found = lines(predictor, params, task, config, mode)
      for number, line in enumerate(found, start=1):
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        on_progress(task.name, number, total)
    if writes:
      partial.replace(path)
    paths.append(str(path))
  return paths


def lines(
  predictor: prediction.Predictor,
  params: Any,
  task: seqio.Task,
  config: pipeline.DatasetConfig,
  mode: str,
) -> Iterator[dict[str, Any]]:
  """Yields the lines of `write_predictions`, in the order of the split."""
  lengths = dict(config.task_feature_lengths)
  converter = feature_converters.LossGroupFeatureConverter(pack=False)
  with pipeline.reading(config):
    if mode == "score":
      dataset_checks.check_examples(
        task, config.split, lengths, config.use_cached, config.truncate
      )
    examples = task.get_dataset(
      lengths, split=config.split, shuffle=False, use_cached=config.use_cached
    )
    pairs = tf.data.Dataset.zip((examples, converter(examples, lengths)))
    # One copy runs ahead by the batches that are being decoded.
    ahead, behind = itertools.tee(tfds.as_numpy(pairs))
    features = (features for _, features in ahead)
    run = predictor.score if mode == "score" else predictor.decode
    vocabulary = task.output_features["targets"].vocabulary
    for number, ((example, _), found) in enumerate(
      zip(behind, run(params, features), strict=False)
    ):
      line = _identity(example, number)
      if mode == "score":
        yield line | {"score": float(found[0]), "tokens": int(found[1])}
      else:
        yield line | _decodes(vocabulary, *found)


def example_id(example: Mapping[str, Any], number: int) -> str | int:
  """Returns an example's id, or its number where its task gives it none."""
  identity = example.get("id", number)
  return identity.decode() if isinstance(identity, bytes) else int(identity)


def _identity(example: Mapping[str, Any], number: int) -> dict[str, Any]:
  line = {
    "id": example_id(example, number),
    "inputs": example["inputs_pretokenized"].decode(),
  }
  if targets := example["targets_pretokenized"].decode():
    line["targets"] = targets
  return line


def _decodes(
  vocabulary: seqio.Vocabulary, tokens: np.ndarray, scores: np.ndarray
) -> dict[str, Any]:
  decodes = [
    {"prediction": vocabulary.decode(ids.tolist()), "score": float(score)}
    for ids, score in zip(tokens, scores, strict=True)
    if score > UNFILLED
  ]
  return decodes[0] | ({"decodes": decodes} if len(decodes) > 1 else {})
