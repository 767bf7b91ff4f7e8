"""Metrics of a model on a split: `seqio.Evaluator` around its decoder."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from distill.data import dataset_checks, feature_converters, pipeline
from distill.data.metrics import Accuracy
from distill.evaluation import inference, prediction
from distill.training.mesh import Partitioner


class Evaluator:
  """Evaluates the tasks of a mixture that have metrics.

  Building it reads and tokenises the examples and keeps them; the decoder is
  compiled at the first evaluation. Later ones do neither.

  Raises:
    UserError: On construction, if the dataset is unknown, damaged, or has
      longer targets than its feature lengths.
  """

  def __init__(
    self,
    model: Any,
    config: pipeline.DatasetConfig,
    partitioner: Partitioner,
    *,
    num_examples: int | None = None,
    output_dir: str | None = None,
  ) -> None:
    """Prepares the evaluation.

    Args:
      model: Its `decode_batch` decodes, as its `decoding` says.
      config: The tasks, their split and their lengths.
      partitioner: The mesh to decode on.
      num_examples: The first so many of each task; None is all.
      output_dir: Where predictions are written; None is nowhere.
    """
    self._predictor = prediction.Predictor(
      model, partitioner, config.batch_size
    )
    # SeqIO gives metrics one text, or a list where there are several. Beams
    # are no independent votes.
    decoding = model.decoding
    self._all_decodes = decoding.method == "sample" and decoding.num_decodes > 1
    provider = config.provider()
    tasks = seqio.evaluation.get_valid_eval_tasks(
      seqio.get_subtasks(provider), config.split
    )
    self.tasks = tuple(task.name for task in tasks)
    if not tasks:
      return
    with pipeline.quiet_seqio(), pipeline.reading(config):
      for task in tasks:
        dataset_checks.check_examples(
          task,
          config.split,
          config.task_feature_lengths,
          config.use_cached,
          config.truncate,
        )
      loggers = []
      # Every host computes the metrics, so that all decide alike by them.
      if output_dir and jax.process_index() == 0:
        epath.Path(output_dir).mkdir(parents=True, exist_ok=True)
        loggers.append(PredictionsLogger)
      self._evaluator = seqio.Evaluator(
        config.mixture_or_task_name,
        feature_converters.LossGroupFeatureConverter(pack=False),
        eval_split=config.split,
        use_cached=config.use_cached,
        sequence_length=dict(config.task_feature_lengths),
        num_examples=num_examples,
        logger_cls=loggers,
        log_dir=output_dir,
        async_compute_metrics=False,
      )

  def evaluate(self, params: Any, step: int) -> dict[str, float]:
    """Returns each metric as `task/metric`; {} if no task has any.

    Args:
      params: The model's parameters, on the mesh.
      step: Names the file of predictions.
    """
    if not self.tasks:
      return {}

    def predict(dataset: tf.data.Dataset, *_: Any) -> list[Any]:
      examples = (example for _, example in tfds.as_numpy(dataset))
      found = self._predictor.decode(params, examples)
      return [
        (number, tokens if self._all_decodes else tokens[0])
        for number, (tokens, _) in enumerate(found)
      ]

    future, _ = self._evaluator.evaluate(
      compute_metrics=True, step=step, predict_fn=predict
    )
    return {
      f"{task}/{name}": float(value)
      for task, metrics in future.result().items()
      for name, value in metrics.items()
    }


class PredictionsLogger(seqio.Logger):
  """Writes `<task>-<step>.jsonl`: inputs, target and prediction a line.

  A task of `metrics.Accuracy` has also `<task>-right.jsonl`, of its newest
  evaluation: the example's `id`, `right` (0 or 1) and the `answer` that was
  read in the prediction ('': none), in the order of the split; of several
  samples also `majority_right`.
  """

  def __call__(
    self,
    task_name: str,
    step: int | None,
    metrics: Mapping[str, Any],
    dataset: tf.data.Dataset | None,
    inferences: Mapping[str, Sequence[Any]] | None,
    targets: Sequence[Any] | None,
  ) -> None:
    """Writes the files, each whole or not at all."""
    del metrics
    predictions = (inferences or {}).get("prediction")
    if dataset is None or predictions is None or targets is None:
      return
    examples = list(tfds.as_numpy(dataset))
    rows = list(zip(examples, targets, predictions, strict=True))
    self._write(
      f"{task_name}-{step or 0:06d}",
      [
        {
          "inputs": example["inputs_pretokenized"].decode(),
          "target": target,
          "prediction": predicted,
        }
        for example, target, predicted in rows
      ],
    )
    for metric in seqio.TaskRegistry.get(task_name).metric_fns:
      if isinstance(metric, Accuracy):
        self._write(
          f"{task_name}-right",
          [
            {"id": inference.example_id(example, number)}
            | metric.line(target, predicted)
            for number, (example, target, predicted) in enumerate(rows)
          ],
        )

  def _write(self, name: str, lines: Sequence[Mapping[str, Any]]) -> None:
    path = epath.Path(self.output_dir) / f"{name}.jsonl"
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as file:
      for line in lines:
        file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
    partial.replace(path)
