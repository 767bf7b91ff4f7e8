"""`distill train`, `python -m distill.train`: trains a student from gin files.

Gin binds the parameters of `train`.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gin

from distill import console, errors, gin_run
from distill.errors import NonNegativeInt, PositiveInt

if TYPE_CHECKING:
  from distill.data.pipeline import DatasetConfig
  from distill.evaluation.evaluator import Evaluator
  from distill.model.encoder_decoder import EncoderDecoderModel
  from distill.training.checkpoints import CheckpointConfig
  from distill.training.loop import MetricWriterFactory
  from distill.training.mesh import Partitioner
  from distill.training.optimizers import OptimizerFactory
  from distill.training.schedules import Schedule
  from distill.training.state import TrainState


def train(
  *,
  model: EncoderDecoderModel,
  optimizer: OptimizerFactory,
  learning_rate_fn: Schedule,
  train_dataset_cfg: DatasetConfig,
  infer_eval_dataset_cfg: DatasetConfig | None,
  checkpoint_cfg: CheckpointConfig,
  initial_checkpoint_path: str | Sequence[str] | None,
  partitioner: Partitioner,
  model_dir: str,
  total_steps: PositiveInt,
  eval_period: NonNegativeInt,
  eval_num_examples: PositiveInt | None = None,
  patience: PositiveInt | None = None,
  min_steps: NonNegativeInt = 0,
  stats_period: PositiveInt = 100,
  num_microbatches: PositiveInt = 1,
  random_seed: int | None = None,
  relative_steps: bool = True,
  allow_missing: str | None = None,
  metric_writers: Sequence[Any] = (),
  profile_steps: NonNegativeInt = 0,
) -> TrainState:
  """Trains, evaluates on validation and saves; resumes a stopped run.

  All that can be wrong with the input is found before the first step. Writes
  checkpoints, `config.gin`, `parameters.txt`, `train/` and `validation/`
  (metrics) and `inference_eval/` (predictions on validation) into MODEL_DIR.

  Args:
    model: The student.
    optimizer: Makes the optimizer of the learning rate.
    learning_rate_fn: From the step to the learning rate.
    train_dataset_cfg: The training data.
    infer_eval_dataset_cfg: The validation data; None does not evaluate.
    checkpoint_cfg: When to save, what to keep.
    initial_checkpoint_path: Where the parameters start, if MODEL_DIR has no
      checkpoint yet, of any format in docs/checkpoints.md; [] is random ones.
    partitioner: The mesh.
    model_dir: Where everything is written.
    total_steps: The step at which training ends.
    eval_period: Steps between evaluations; the last step is evaluated too. 0
      does not evaluate.
    eval_num_examples: Examples per task, from the first; None is all.
    patience: Evaluations without a better value of the best metric after which
      training ends before `total_steps`; None trains to the last step. An equal
      value is not better.
    min_steps: The first step at which `patience` may end training.
    stats_period: Steps between lines of the metrics' log.
    num_microbatches: Parts that a batch is cut into, to save memory.
    random_seed: Of weights and dropout; None is 0.
    relative_steps: Whether steps are counted from the initial checkpoint; if
      not, they go on from its own, as in T5X.
    allow_missing: Regular expression of the parameters that stay random where
      the initial checkpoint lacks them, or has them in another shape.
    metric_writers: More writers of metrics, beside TensorBoard's and the JSON
      lines': 'wandb', 'mlflow', or functions that return a
      `clu.metric_writers.MetricWriter` for MODEL_DIR.
    profile_steps: Steps that the profiler traces, after the first 10; 0 traces
      none. TensorBoard shows the trace.

  Returns:
    The state after the last step.

  Raises:
    UserError: The input is wrong, or a loss is not finite.
    SystemExit: With 128 + the signal, saved, after SIGTERM or Ctrl-C.
  """
  from distill.data import pipeline
  from distill.training import checkpoints, loop

  errors.require(
    "PATIENCE",
    patience,
    patience is None or bool(checkpoint_cfg.best_metric and eval_period),
    "None, or a BEST_METRIC and an EVAL_PERIOD to judge by",
  )
  writers = _writer_factories(metric_writers)
  checkpoints.check_writable(model_dir)
  console.say(f"reading the data of {train_dataset_cfg.mixture_or_task_name}")
  pipeline.check_model(train_dataset_cfg, model)
  batches = pipeline.TrainBatches(train_dataset_cfg)
  scorer = None
  if infer_eval_dataset_cfg and eval_period:
    scorer = _scorer(
      model, infer_eval_dataset_cfg, partitioner, eval_num_examples, model_dir
    )

  def evaluate(state: TrainState, step: int) -> dict[str, float]:
    return scorer.evaluate(state.params, step) if scorer else {}

  # T5X takes a list of one path, too.
  paths = initial_checkpoint_path or ()
  initial = paths if isinstance(paths, str) else next(iter(paths), None)
  return loop.train(
    loop.TrainConfig(
      model=model,
      optimizer=optimizer,
      learning_rate_fn=learning_rate_fn,
      partitioner=partitioner,
      batches=batches,
      model_dir=model_dir,
      total_steps=total_steps,
      checkpoint_cfg=checkpoint_cfg,
      evaluate=evaluate if scorer else None,
      decoded=scorer.samples if scorer else None,
      eval_period=eval_period,
      patience=patience,
      min_steps=min_steps,
      stats_period=stats_period,
      num_microbatches=num_microbatches,
      random_seed=random_seed or 0,
      initial_checkpoint_path=initial,
      relative_steps=relative_steps,
      allow_missing=allow_missing,
      metric_writers=writers,
      profile_steps=profile_steps,
      config_text=gin.operative_config_str,
    )
  )


def _writer_factories(given: Any) -> list[MetricWriterFactory]:
  """Returns the factories of METRIC_WRITERS: one or several, maybe by name."""
  factories = list(given) if isinstance(given, list | tuple) else [given]
  for number, one in enumerate(factories):
    if isinstance(one, str):
      from distill.contrib import metric_writers

      factories[number] = metric_writers.find_writer(one)
  return factories


def _scorer(
  model: EncoderDecoderModel,
  config: DatasetConfig,
  partitioner: Partitioner,
  num_examples: int | None,
  model_dir: str,
) -> Evaluator | None:
  """Returns the validation's evaluator; None where no task has a metric."""
  from distill.data import pipeline
  from distill.evaluation import evaluator

  if config.split.startswith("test"):
    raise errors.UserError(
      "Training may not look at the test split.",
      expected="infer_eval/DatasetConfig.split = 'validation'",
      found=repr(config.split),
      remedy="score the test split with `distill evaluate`, once",
    )
  pipeline.check_model(config, model)
  scorer = evaluator.Evaluator(
    model,
    config,
    partitioner,
    num_examples=num_examples,
    output_dir=f"{model_dir}/inference_eval",
  )
  return scorer if scorer.tasks else None


def main(argv: Sequence[str]) -> None:
  """Trains as flags and gin files say, and prints the next command."""
  if gin_run.run("train", argv) is None:
    return  # --help
  import jax

  if jax.process_index() == 0:
    print(f"next: {next_command(argv)}", file=sys.stderr)


def next_command(argv: Sequence[str]) -> str:
  """Returns the command that evaluates what a command line has trained.

  After pretraining it is the command that trains from it.
  """
  flags = gin_run.parse_flags("train", argv)
  survey = gin_run.survey_of("evaluate", flags)
  known = survey.defined.keys() | survey.read
  kept = [f"--gin_file={file}" for file in flags.gin_file]
  for name in ("gin_search_paths", "tfds_data_dir"):
    if value := getattr(flags, name):
      kept.append(f"--{name}={value}")
  model_dir = ""
  for binding in flags.gin_bindings:
    name, _, value = binding.partition("=")
    if name.strip() == "MODEL_DIR":
      model_dir = value.strip().strip("'\"")
    elif "." in name or name.strip() in known:
      kept.append(f"--gin.{binding}")
  model_dir = model_dir or str(gin.query_parameter("%MODEL_DIR"))
  if any(pathlib.PurePath(f).name == "pretrain.gin" for f in flags.gin_file):
    start = f"--gin.INITIAL_CHECKPOINT_PATH={model_dir}"
    return shlex.join(
      ["distill", "train", "--gin_file=experiments/X.gin", start]
    )
  kept.append(f"--gin.CHECKPOINT_PATH={model_dir}")
  kept.append(f"--gin.EVAL_OUTPUT_DIR={os.path.join(model_dir, 'test')}")
  return shlex.join(["distill", "evaluate", *kept])


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
