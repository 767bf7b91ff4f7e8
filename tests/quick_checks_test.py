"""Wrong names and paths are found before a framework is imported."""

import os
import subprocess
import sys

import pytest

from distill import errors, gin_files, quick_checks

EXPERIMENT = "--gin_file=experiments/last_letters_tiny_finetune.gin"


def survey(text):
  found = gin_files.Survey([""])
  for line in text.splitlines():
    found.add_binding(line)
  return found


@pytest.mark.parametrize(
  ("argv", "words"),
  [
    (
      ["train", EXPERIMENT, "--gin.MODEL_DIR=m"]
      + ["--gin.MIXTURE_OR_TASK_NAME=last_leters_cot"],
      ["last_leters_cot", "last_letters_cot"],
    ),
    (
      ["train", EXPERIMENT, "--gin.MODEL_DIR=m"]
      + ["--gin.MIXTURE_OR_TASK_MODULE=my_tsaks"],
      ["my_tsaks", "PYTHONPATH"],
    ),
    (["train", EXPERIMENT, "--gin.MODEL_DIR=file/m"], ["MODEL_DIR", "file/m"]),
    (
      ["evaluate", EXPERIMENT, "--gin.CHECKPOINT_PATH=nowhere"]
      + ["--gin.EVAL_OUTPUT_DIR=out"],
      ["no checkpoint", "nowhere"],
    ),
    (["cache", "ask", "--task=last_leters"], ["did you mean last_letters"]),
    (
      ["cache", "ask", "--task=cqa", "--output_dir=file/x"],
      ["--output_dir", "file/x"],
    ),
    (
      ["cache", "report", "--task=cqa", "--input_dir=nowhere"],
      ["nowhere/manifest.json"],
    ),
    (
      ["cache", "filter", "--task=sqa", "--input_dir=.", "--output_dir=x"],
      ["no cache of rationales", "manifest.json"],
    ),
    (
      ["cache", "import", "--task=cqa", "--format=jsonl", "--input_dir=none"]
      + ["--field=input=q", "--field=completion=a", "--output_dir=x"],
      ["'none'", "--input_dir"],
    ),
  ],
  ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_mistake_costs_no_import_of_tensorflow(argv, words, tmp_path):
  (tmp_path / "file").write_text("in the way")
  # Whoever imports TensorFlow here fails otherwise than by a user error.
  (tmp_path / "tensorflow.py").write_text("raise SystemError('imported')")
  path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
  done = subprocess.run(
    [sys.executable, "-m", "distill", *argv],
    capture_output=True,
    text=True,
    cwd=tmp_path,
    env=os.environ
    | {"PYTHONPATH": path, "DISTILL_DATA_DIR": str(tmp_path / "data")},
    check=False,
  )
  assert done.returncode == errors.USER_ERROR_EXIT, done.stderr
  for word in words:
    assert word in done.stderr
  # Nothing was made.
  assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "tensorflow.py"]


def test_tasks_of_others_may_have_any_name():
  named = "MIXTURE_OR_TASK_NAME = 'mine'\nMIXTURE_OR_TASK_MODULE = "
  quick_checks.check_run(survey(named + "'json'"))
  quick_checks.check_run(survey(named + "'tasks'\nimport json"))
  with pytest.raises(errors.UserError, match="'mine'"):
    quick_checks.check_run(survey(named + "'tasks'"))


def test_remote_paths_are_left_to_whoever_reads_them():
  quick_checks.check_run(
    survey("CHECKPOINT_PATH = 'gs://none/of'\nMODEL_DIR = 'gs://ours/at'")
  )
  quick_checks.check_cache("gs://none/of")
