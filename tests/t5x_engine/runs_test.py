"""Real T5X on the T5X half of the gin tree; all of it needs T5X."""

import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile

import gin
import pytest

from distill import errors, gin_files, gin_run
from distill.commands import cache_ask

pytestmark = pytest.mark.t5x
pytest.importorskip("t5x", reason="T5X cannot be imported: docs/t5x.md")

EXPERIMENT = "experiments/last_letters_tiny_step_by_step.gin"
# This project's commands, and T5X's script and function for each.
SCRIPTS = {
  "train": ("train", "train"),
  "evaluate": ("eval", "evaluate"),
  "infer": ("infer", "infer"),
}
EXPERIMENTS = sorted(
  path.relative_to(gin_run.GIN_CONFIGS).as_posix()
  for path in gin_run.GIN_CONFIGS.glob("experiments/*.gin")
)
GIVEN = {
  "MODEL_DIR": "'/m'",
  "INITIAL_CHECKPOINT_PATH": "'/m/checkpoint_5'",
  "CHECKPOINT_PATH": "'/m'",
  "EVAL_OUTPUT_DIR": "'/e'",
  "INFER_OUTPUT_DIR": "'/i'",
}


@pytest.mark.parametrize("command", SCRIPTS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_t5x_builds_all_that_an_experiment_configures(
  name, command, monkeypatch
):
  script, function = SCRIPTS[command]
  module = importlib.import_module(f"t5x.{script}")
  monkeypatch.setitem(sys.modules, "__main__", module)
  files = [gin_run.RUN_FILES[command], name]
  survey = gin_files.Survey([str(gin_run.GIN_CONFIGS)])
  for file in files:
    survey.add_file(file)
  given = [f"{macro} = {GIVEN[macro]}" for macro in survey.missing()]
  gin.clear_config()
  monkeypatch.setattr(
    gin.config, "_LOCATION_PREFIXES", [str(gin_run.GIN_CONFIGS)]
  )
  gin.parse_config_files_and_bindings(files, given)
  arguments = gin.get_bindings(getattr(module, function))
  task = survey.defined["MIXTURE_OR_TASK_NAME"].value
  alpha = (0.5, 0.5) if "_step_by_step" in task else (1.0, 1.0)
  assert arguments["model"]._objective.group_weights == (1.0, *alpha, 0.0)
  assert arguments["model"].module.config.float32_attention_logits
  if command == "train":
    assert arguments["total_steps"] > 0


def start(script, *flags, variables=None):
  """Starts a process of T5X; a pipe that nobody reads would stop its peers."""
  said = tempfile.TemporaryFile("w+")
  process = subprocess.Popen(
    [
      *(sys.executable, "-m", "distill.t5x_engine.start", script),
      *(f"--gin_search_paths={gin_run.GIN_CONFIGS}", *flags),
      "--gin.TASK_FEATURE_LENGTHS={'inputs': 64, 'targets': 64}",
      *(f"--gin_file={EXPERIMENT}", "--gin.BATCH_SIZE=8"),
    ],
    env={k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    | (variables or {}),
    stderr=said,
  )
  return process, said


def finish(started, code=0):
  """Returns what a process said, once it ended with that exit code."""
  process, said = started
  try:
    process.wait(timeout=400)
  finally:
    process.kill()
  said.seek(0)
  text = said.read()
  assert process.returncode == code, text[-3000:]
  return text


@pytest.mark.long
def test_two_hosts_train_and_others_evaluate_and_infer(tmp_path, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path / "data"))
  cache_ask.main(["--task=last_letters"])
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
  hosts = [
    start(
      "train",
      *("--gin_file=runs/finetune.gin", "--gin.TRAIN_STEPS=2"),
      *(f"--gin.MODEL_DIR='{tmp_path}/model'", "--gin.EVAL_PERIOD=0"),
      variables={
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_NUM_PROCESSES": "2",
        "JAX_PROCESS_ID": str(index),
      },
    )
    for index in range(2)
  ]
  for index, host in enumerate(hosts):
    said = finish(host)
    assert f"Process ID: {index}" in said
    assert "training ends at T5X's step 2" in said
  checkpoint = f"--gin.CHECKPOINT_PATH='{tmp_path}/model/checkpoint_2'"
  finish(
    start(
      "eval",
      *("--gin_file=runs/evaluate.gin", checkpoint),
      *(f"--gin.EVAL_OUTPUT_DIR='{tmp_path}/e'",),
      "--gin.EVALUATOR_NUM_EXAMPLES=8",
    )
  )
  finish(
    start(
      "infer",
      *("--gin_file=runs/infer.gin", checkpoint),
      f"--gin.INFER_OUTPUT_DIR='{tmp_path}/i'",
      "--gin.MIXTURE_OR_TASK_NAME='last_letters_label'",
    )
  )
  [metrics] = (tmp_path / "e" / "inference_eval").glob("*-metrics.jsonl")
  assert 0 <= json.loads(metrics.read_text())["accuracy"] <= 100
  [predictions] = (tmp_path / "i").glob("*-predict.jsonl-00000-of-00001")
  assert len(predictions.read_text().splitlines()) == 500  # the test split
  said = finish(
    start(
      "train",
      *("--gin_file=runs/finetune.gin", "--gin.TRAIN_STEPS=2"),
      *(f"--gin.MODEL_DIR='{tmp_path}/micro'", "--gin.NUM_MICROBATCHES=2"),
    ),
    code=errors.USER_ERROR_EXIT,
  )
  assert "not be those of the global batch" in said
