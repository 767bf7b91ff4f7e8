"""Metrics of a model on a split: `seqio.Evaluator` around its decoder."""

import html
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from distill.data import feature_converters, pipeline
from distill.data.metrics import Accuracy
from distill.errors import printable
from distill.evaluation import predictions
from distill.training.mesh import Partitioner

# Predictions of each task that TensorBoard shows.
_SHOWN = 8


class Evaluator:
  """Evaluates the tasks of a mixture that have metrics.

  Building it reads and tokenises the examples and keeps them; the decoder is
  compiled at the first evaluation. Later ones do neither.

  Attributes:
    tasks: The names of the tasks.
    rows: For each of them, what the newest evaluation found: `id`, `inputs`,
      `target`, `prediction` and, where the task reads that out of more, the
      whole `output`; lists of the last two where there are several samples.

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
      num_examples: Examples per task, from the first; None is all.
      output_dir: Where predictions are written; None is nowhere.
    """
    self.rows: dict[str, list[dict[str, Any]]] = {}
    self.judged: dict[str, list[dict[str, Any]]] = {}
    self._step = 0
    self._config = config
    self._num_examples = num_examples
    self._output_dir = output_dir
    self._predictor = predictions.Predictor(
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
        config.check_examples(task)
      self._evaluator = seqio.Evaluator(
        config.mixture_or_task_name,
        feature_converters.LossGroupFeatureConverter(pack=False),
        eval_split=config.split,
        use_cached=config.use_cached,
        sequence_length=dict(config.task_feature_lengths),
        num_examples=num_examples,
        # What SeqIO calls loggers: every host has the rows, one writes them.
        logger_cls=[lambda output_dir: self._keep],
        log_dir="unused",
        async_compute_metrics=False,
      )

  def evaluate(self, params: Any, step: int) -> dict[str, float]:
    """Returns each metric as `task/metric`; {} if no task has any.

    It writes `<task>-<step>.jsonl`: the `rows`, a line each. A task of
    `metrics.Accuracy` has also `<task>-right.jsonl`, of the newest evaluation:
    the example's `id`, `right` (0 or 1) and the `answer` that was read in the
    best prediction ('': none), in the order of the split.

    Args:
      params: The model's parameters, on the mesh.
      step: Names the file of predictions.
    """
    self._step = step
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
    for task, rows in self.rows.items():
      self._write(f"{task}-{step:06d}", rows)
      for metric in seqio.TaskRegistry.get(task).metric_fns:
        if isinstance(metric, Accuracy):
          self.judged[task] = [_judged(metric, row) for row in rows]
          self._write(f"{task}-right", self.judged[task])
    return {
      f"{task}/{name}": float(value)
      for task, metrics in future.result().items()
      for name, value in metrics.items()
    }

  def describe(self, task: str) -> str:
    """Returns what to hold a task's accuracy against, '' if it has none.

    It names the number of examples, the 95% interval of the accuracy that this
    number allows (Wilson's), and the accuracy of the most frequent target.
    """
    from scipy import stats

    rights = [line["right"] for line in self.judged.get(task, ())]
    if not rights:
      return ""
    count = len(rights)
    interval = stats.binomtest(sum(rights), count).proportion_ci(
      method="wilson"
    )
    [(answer, most)] = Counter(
      str(row["target"]) for row in self.rows[task]
    ).most_common(1)
    return (
      f"{count:,} examples, 95% interval {100 * interval.low:.1f} to"
      f" {100 * interval.high:.1f}; always {answer!r} has"
      f" {100 * most / count:.1f}"
    )

  def samples(self) -> dict[str, str]:
    """Returns a table in Markdown of some predictions of each task."""
    return {
      task: "\n".join(
        [
          "| input | target | prediction |",
          "|---|---|---|",
          *(_table_line(row) for row in rows[:_SHOWN]),
        ]
      )
      for task, rows in self.rows.items()
    }

  def ask(self, params: Any, task: seqio.Task) -> dict[str | int, str]:
    """Returns the best prediction for each example of any task, by its id.

    It writes `<task>-<step>.jsonl`, after the step of the last evaluation.
    """
    found = predictions.lines(
      self._predictor, params, task, self._config, "predict"
    )
    lines = list(itertools.islice(found, self._num_examples))
    self._write(f"{task.name}-{self._step:06d}", lines)
    return {line["id"]: line["prediction"] for line in lines}

  def _keep(
    self,
    task_name: str,
    dataset: tf.data.Dataset,
    inferences: Mapping[str, Sequence[Any]],
    targets: Sequence[Any],
    **unused: Any,
  ) -> None:
    """Keeps a task's rows."""
    del unused
    predicted = inferences.get("prediction")
    if predicted is None:
      return
    outputs = inferences["output"]
    self.rows[task_name] = [
      {
        "id": predictions.example_id(example, number),
        "inputs": example["inputs_pretokenized"].decode(),
        "target": target,
        "prediction": prediction,
      }
      | ({"output": output} if output != prediction else {})
      for number, (example, target, prediction, output) in enumerate(
        zip(tfds.as_numpy(dataset), targets, predicted, outputs, strict=True)
      )
    ]

  def _write(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
    if self._output_dir:
      folder = epath.Path(self._output_dir)
      folder.mkdir(parents=True, exist_ok=True)
      predictions.write_lines(folder / f"{name}.jsonl", lines)


def _table_line(row: Mapping[str, Any]) -> str:
  """Returns a line of a Markdown table; the texts cannot end a cell or line."""
  said = row.get("output", row["prediction"])
  texts = (row["inputs"], row["target"], said)
  cells = [printable(str(text)).replace("|", "\\|") for text in texts]
  return f"| {' | '.join(html.escape(cell) for cell in cells)} |"


def _judged(metric: Accuracy, row: Mapping[str, Any]) -> dict[str, Any]:
  """Returns a line of `<task>-right.jsonl`."""
  said = row["prediction"]
  best = said if isinstance(said, str) else said[0]
  right = int(metric.judge(row["target"], best)["accuracy"])
  return {
    "id": row["id"],
    "right": right,
    "answer": metric.rule.parse(best) or "",
  }
