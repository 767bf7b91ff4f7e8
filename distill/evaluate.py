"""`distill evaluate`, `python -m distill.evaluate`: scores a checkpoint.

Gin binds the parameters of `evaluate`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from distill import console, errors, gin_run
from distill.errors import PositiveInt

if TYPE_CHECKING:
  from distill.data.pipeline import DatasetConfig
  from distill.evaluation.evaluator import Evaluator
  from distill.model.encoder_decoder import EncoderDecoderModel
  from distill.training.mesh import Partitioner

METRICS_FILE = "metrics.json"


def evaluate(
  *,
  model: EncoderDecoderModel,
  dataset_cfg: DatasetConfig,
  checkpoint_path: str,
  partitioner: Partitioner,
  output_dir: str,
  num_examples: PositiveInt | None = None,
  decode_rationales: bool = True,
  against: str | None = None,
) -> dict[str, float]:
  """Prints a checkpoint's metrics and writes them with its predictions.

  Args:
    model: The student.
    dataset_cfg: The data; of a mixture, the tasks with metrics.
    checkpoint_path: A checkpoint of any format, or a MODEL_DIR: the best, or
      else the newest in it.
    partitioner: The mesh.
    output_dir: Where `metrics.json` and a file of predictions a task go.
    num_examples: Examples per task, from the first; None is all.
    decode_rationales: Whether the rationale task of a mixture is decoded too
      (`evaluation.rationales`), which takes a multiple of the labels' time.
    against: The EVAL_OUTPUT_DIR of another evaluation of the same examples,
      which is compared example by example.

  Returns:
    Each metric as `task/metric`.

  Raises:
    UserError: The input is wrong.
  """
  import jax

  from distill.evaluation import evaluator, pairing, predictions, rationales
  from distill.training import checkpoints

  checkpoints.check_writable(output_dir, "EVAL_OUTPUT_DIR")
  console.say("reading the checkpoint")
  params, checkpoint = predictions.restore(
    model, dataset_cfg, partitioner, checkpoint_path
  )
  scorer = evaluator.Evaluator(
    model,
    dataset_cfg,
    partitioner,
    num_examples=num_examples,
    output_dir=output_dir,
  )
  if not scorer.tasks:
    raise errors.UserError(
      f"'{dataset_cfg.mixture_or_task_name}' has no metric on split "
      f"'{dataset_cfg.split}'.",
      expected="a task with metric functions",
      remedy="name another MIXTURE_OR_TASK_NAME, or use `distill infer`",
    )
  others = {}
  if against:
    others = {task: pairing.read_judged(against, task) for task in scorer.tasks}
  console.say(f"evaluating {', '.join(scorer.tasks)}, compiling first")
  # A checkpoint of another make may have no step in its name.
  number = checkpoint.rpartition("_")[2]
  metrics = scorer.evaluate(params, int(number) if number.isdigit() else 0)
  metrics |= rationales.evaluate(scorer, params, dataset_cfg, decode_rationales)
  if jax.process_index() == 0:
    source = {"checkpoint": checkpoint, "split": dataset_cfg.split}
    text = json.dumps({**metrics, **source}, indent=2) + "\n"
    errors.write_whole(f"{output_dir}/{METRICS_FILE}", text)
    print(f"{checkpoint}, split '{dataset_cfg.split}':")
    _print_metrics(metrics, scorer)
    _print_classes(scorer)
    for task, other in others.items():
      text = pairing.compare(scorer.judged[task], other)
      print(f"{task}, against {against}: {text}")
  return metrics


def _print_metrics(metrics: Mapping[str, float], scorer: Evaluator) -> None:
  """Prints a metric a line, and beside an accuracy what to hold it against."""
  for name, value in metrics.items():
    task, _, metric = name.rpartition("/")
    text = scorer.describe(task) if metric == "accuracy" else ""
    print(f"  {name}: {value:.2f}" + (f" ({text})" if text else ""))


def _print_classes(scorer: Evaluator) -> None:
  """Prints recall and precision of tasks whose answers are a few classes."""
  from distill.evaluation import classes

  for task, judged in scorer.judged.items():
    header, lines = classes.confusion(scorer.rows[task], judged)
    if lines:
      print(f"  classes of {task}:")
      console.print_table(header, lines)


def main(argv: Sequence[str]) -> None:
  """Evaluates as flags and gin files say."""
  gin_run.run("evaluate", argv)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
