"""`distill train`: what a run prints and leaves, and what it refuses."""

import json
import shlex
import shutil

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from distill import errors, gin_run, train


def run(*flags):
  return errors.run_command(train.main, flags)


def snapshot(folder):
  """Returns every file under a folder with its content."""
  return {
    path.relative_to(folder): path.read_bytes()
    for path in folder.rglob("*")
    if path.is_file()
  }


def lines_of(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_200_steps_print_little_and_say_what_matters(trained):
  _, lines = trained
  assert len(lines) < 60
  progress = [line for line in lines if line.startswith("step ")]
  assert all(
    word in progress[-2] for word in ("200/200", "loss", "tokens/s", "ETA")
  )
  assert "validation  last_letters_label/accuracy" in progress[-1]


def test_each_stage_is_told_and_nothing_else(trained):
  model_dir, lines = trained
  stages = [line for line in lines if line.endswith(" …")]
  words = ("checking", "importing", "reading", "initializing", "compiling")
  assert [stage.split()[0] for stage in stages] == list(words)
  told = ("from step 0", "parameters: ", "step ", "done: ")
  told += ("best: ", "next: ")
  assert all(line in stages or line.startswith(told) for line in lines), lines


def test_a_run_ends_with_what_to_do_next(trained):
  model_dir, lines = trained
  done, best, following = lines[-3:]
  assert done == f"done: step 200 is saved in {model_dir}/checkpoint_200"
  step = int(best.rpartition("_")[2])
  scores = {
    line["step"]: line["last_letters_label/accuracy"]
    for line in lines_of(model_dir / "validation/metrics.jsonl")
  }
  assert best.startswith(f"best: accuracy {scores[step]:.4g} on validation")
  assert scores[step] == max(scores.values())
  _, command, *flags = shlex.split(following.removeprefix("next: "))
  assert command == "evaluate"
  assert f"--gin.CHECKPOINT_PATH={model_dir}" in flags
  # A mistake in it would be found here, before the checkpoint is read.
  gin_run.checked("evaluate", gin_run.parse_flags("evaluate", flags))


def test_a_run_leaves_checkpoints_logs_and_its_configuration(trained):
  model_dir, _ = trained
  steps = [line["step"] for line in lines_of(model_dir / "train/metrics.jsonl")]
  assert steps == [50, 100, 150, 200]
  names = {path.name for path in model_dir.glob("checkpoint_*")}
  assert {"checkpoint_100", "checkpoint_150", "checkpoint_200"} <= names
  validation = lines_of(model_dir / "validation/metrics.jsonl")
  assert [line["step"] for line in validation] == [100, 200]
  said = lines_of(model_dir / "inference_eval/last_letters_label-000200.jsonl")
  right = [line["prediction"] == line["target"] for line in said]
  assert validation[-1]["last_letters_label/accuracy"] == pytest.approx(
    100 * sum(right) / 16
  )
  # The rationale task learns along and is not decoded.
  assert not list(model_dir.glob("inference_eval/*rationale*"))


def test_the_written_configuration_resumes_the_run(trained, tmp_path, capfd):
  model_dir, _ = trained
  copy = tmp_path / "model"
  shutil.copytree(model_dir, copy)
  flags = [
    *(f"--gin_file={model_dir}/config.gin", f"--gin.MODEL_DIR={copy}"),
    *("--gin.TRAIN_STEPS=202", "--gin.STATS_PERIOD=1", "--gin.EVAL_PERIOD=0"),
  ]
  assert run(*flags) == 0
  assert "from step 200" in capfd.readouterr().err
  lines = lines_of(copy / "train/metrics.jsonl")
  assert [line["step"] for line in lines] == [50, 100, 150, 200, 201, 202]
  # Counted on from the run that it resumes.
  assert lines[-1]["target_tokens_total"] == sum(
    [lines[3]["target_tokens_total"], *(x["target_tokens"] for x in lines[4:])]
  )
  assert 200 * 8 * 4 < lines[3]["target_tokens_total"] < 200 * 8 * 64


@pytest.mark.parametrize(
  ("flag", "words"),
  [
    ("--gin.MIXTURE_OR_TASK_NAME=last_leters_cot", ["last_letters_cot"]),
    ("--gin.MIXTURE_OR_TASK_NAME=coin_flip_cot", ["cache ask"]),
    ("--gin.MIXTURE_OR_TASK_MODULE=taks", ["'taks'", "PYTHONPATH"]),
    (
      "--gin.TASK_FEATURE_LENGTHS={'inputs': 64, 'targets': 20}",
      ["TASK_FEATURE_LENGTHS['targets']", "20"],
    ),
    ("--gin_bindings=T5Config.vocab_size=128", ["vocab_size", "VOCABULARY"]),
    ("--gin_bindings=T5Config.emb_dim=16", ["checkpoint_200", "params/"]),
    ("--gin.TRAIN_STEPS=100", ["step 200", "TRAIN_STEPS"]),
    ("--gin.BATCH_SIZE=9", ["BATCH_SIZE = 9", "NUM_MICROBATCHES"]),
    ("--gin.MODEL_PARALLEL=3", ["8 devices", "MODEL_PARALLEL"]),
    (
      "--gin_bindings=infer_eval/DatasetConfig.split='test'",
      ["test split", "distill evaluate"],
    ),
    ("--gin.ALPHA=2", ["ALPHA", "0", "1"]),
    ("--gin.TRAIN_STEPS=many", ["TRAIN_STEPS"]),
    ("--gin.METRIC_WRITERS=wandbb", ["writer 'wandbb'", "'wandb'?"]),
    ("--gin.LOSS_NORMALIZATION=tokens", ["'tokens'", "sequence"]),
  ],
)
def test_bad_input_is_one_error_and_touches_nothing(
  trained, small_flags, capfd, flag, words
):
  model_dir, _ = trained
  before = snapshot(model_dir)
  flags = [f"--gin.MODEL_DIR={model_dir}", "--gin.TRAIN_STEPS=300", flag]
  assert run(*small_flags, *flags) == errors.USER_ERROR_EXIT
  said = capfd.readouterr().err
  assert "Traceback" not in said
  for word in words:
    assert word in said
  assert snapshot(model_dir) == before


def test_a_model_dir_that_cannot_be_written_is_refused(
  small_flags, tmp_path, capfd
):
  (tmp_path / "file").write_text("")
  flags = [f"--gin.MODEL_DIR={tmp_path}/file/model", "--gin.TRAIN_STEPS=1"]
  assert run(*small_flags, *flags) == errors.USER_ERROR_EXIT
  assert "MODEL_DIR" in capfd.readouterr().err


@pytest.mark.parametrize("relative", [True, False])
def test_parameters_go_on_from_an_initial_checkpoint(
  trained, small_flags, tmp_path, capfd, relative
):
  initial = trained[0] / "checkpoint_200"
  flags = [
    *small_flags,
    f"--gin.MODEL_DIR={tmp_path}/model",
    f"--gin.INITIAL_CHECKPOINT_PATH={initial}",
    f"--gin.RELATIVE_STEPS={relative}",
    f"--gin.TRAIN_STEPS={1 if relative else 201}",
    *("--gin.EVAL_PERIOD=0", "--gin.LEARNING_RATE=0.0"),
  ]
  assert run(*flags) == 0
  said = capfd.readouterr().err
  assert "checkpoint_200 (this project's format), step 200" in said
  assert f"RELATIVE_STEPS = {relative}" in said
  assert f"from step {0 if relative else 200};" in said
  with ocp.PyTreeCheckpointer() as reader:
    before, after = (
      reader.restore(folder / "state")["params"]
      for folder in (initial, *(tmp_path / "model").glob("checkpoint_*"))
    )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), before, after
  )


def test_the_run_file_of_another_command_is_refused(small_flags, capfd):
  flags = ["--gin_file=runs/evaluate.gin", "--gin.CHECKPOINT_PATH=/x"]
  assert (
    run(*small_flags, *flags, "--gin.EVAL_OUTPUT_DIR=/x")
    == errors.USER_ERROR_EXIT
  )
  assert "run file" in capfd.readouterr().err
