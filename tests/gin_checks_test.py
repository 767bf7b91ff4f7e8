"""A value of the wrong type or range is an error before anything is loaded."""

import subprocess
import sys

import pytest

from distill import errors, gin_checks, gin_files, gin_run

EXPERIMENT = "experiments/last_letters_tiny_step_by_step.gin"


def check(command, *bindings):
  """Checks bindings as `distill <command>` does with an experiment."""
  survey = gin_files.Survey(gin_run.search_path())
  for file in gin_run.files_of(command, [EXPERIMENT]):
    survey.add_file(file)
  for text in bindings:
    gin_checks.checked_binding(text, survey)
  gin_checks.check_values(survey)


@pytest.mark.parametrize(
  ("command", "binding", "expected"),
  [
    ("train", "BATCH_SIZE=16.0", "a whole number of at least 1"),
    ("train", "BATCH_SIZE=0", "a whole number of at least 1"),
    ("train", "BATCH_SIZE=-8", "a whole number of at least 1"),
    ("train", "BATCH_SIZE='8'", "a whole number of at least 1"),
    ("train", "BATCH_SIZE=True", "a whole number of at least 1"),
    ("train", "BATCH_SIZE=None", "a whole number of at least 1"),
    ("train", "TRAIN_STEPS=2e3", "a whole number of at least 1"),
    ("train", "EVAL_PERIOD=-1", "a whole number of at least 0"),
    ("train", "SAVE_PERIOD=0", "a whole number of at least 1"),
    ("train", "NUM_MICROBATCHES=2.0", "a whole number of at least 1"),
    ("train", "KEEP_CHECKPOINTS=0", "at least 1 or None"),
    ("train", "RANDOM_SEED=0.5", "a whole number or None"),
    ("train", "FSDP_PARALLEL=0", "a whole number of at least 1"),
    ("train", "LEARNING_RATE='0.1'", "a number"),
    ("train", "SHUFFLE=1", "True or False"),
    ("train", "PACK=1", "True or False or text"),
    ("train", "NUM_TRAIN_EXAMPLES=8.0", "at least 1 or None"),
    ("train", "train.eval_period=2.5", "a whole number of at least 0"),
    ("train", "T5Config.mlp_dim=32.0", "a whole number of at least 1"),
    ("train", "infer_eval/DatasetConfig.batch_size=0", "at least 1"),
    ("train", "TASK_FEATURE_LENGTHS={'inputs': 8.0, 'targets': 8}",
     "at least 1 for each item"),
    ("evaluate", "EVALUATOR_NUM_EXAMPLES=0", "at least 1 or None"),
    ("evaluate", "BATCH_SIZE=0", "a whole number of at least 1"),
    ("infer", "NUM_DECODES=2.0", "a whole number of at least 1"),
    ("infer", "BATCH_SIZE=4.5", "a whole number of at least 1"),
  ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named(command, binding, expected):
  with pytest.raises(errors.UserError) as caught:
    check(command, binding)
  name, _, value = binding.partition("=")
  assert name in caught.value.what and name in caught.value.remedy
  assert caught.value.expected.endswith(expected)
  assert caught.value.found == value.replace("2e3", "2000.0")


@pytest.mark.parametrize(
  ("binding", "near"),
  [
    ("train.eval_perod=2", "'eval_period'"),
    ("optimizers.adafactor.decay_rat=0.5", "'decay_rate'"),
    ("infer_eval/DatasetConfig.bath_size=3", "'batch_size'"),
  ],
)
def test_an_unknown_parameter_is_named_with_the_nearest(binding, near):
  with pytest.raises(errors.UserError, match="no parameter of") as caught:
    check("train", binding)
  assert f"did you mean {near}?" in caught.value.remedy
  assert "the command line" in caught.value.remedy


def test_values_that_fit_pass():
  check(
    "train",
    *("BATCH_SIZE=8", "EVAL_PERIOD=0", "LEARNING_RATE=1", "RANDOM_SEED=None"),
    *("INITIAL_CHECKPOINT_PATH=/model", "KEEP_CHECKPOINTS=None"),
    *("DATA_PARALLEL=-1", "ALPHA_END=0.9", "train.random_seed=-3"),
    "MODEL=@encoder_decoder.EncoderDecoderModel()",
  )


@pytest.mark.parametrize(
  ("lines", "found"),
  [
    (["BATCH_SIZE = 4.0"], "4.0"),
    (["ROWS = 4.0", "BATCH_SIZE = %ROWS"], "4.0"),
    (
      ["SIZE = 4.0", "TASK_FEATURE_LENGTHS = {'inputs': %SIZE, 'targets': 8}"],
      "{'inputs': %SIZE, 'targets': 8}",
    ),
  ],
)
def test_a_user_s_gin_file_is_followed_through_its_macros(
  tmp_path, lines, found
):
  mine = tmp_path / "mine.gin"
  mine.write_text("\n".join(lines))
  survey = gin_files.Survey(gin_run.search_path())
  for file in gin_run.files_of("train", [EXPERIMENT, str(mine)]):
    survey.add_file(file)
  with pytest.raises(errors.UserError, match="cannot be used") as caught:
    gin_checks.check_values(survey)
  assert caught.value.found == found


def test_the_command_refuses_it_before_jax_is_imported(tmp_path):
  program = f"""
import sys
from distill import errors, gin_run
try:
  gin_run.run("train", ["--gin_file={EXPERIMENT}", "--gin.TRAIN_STEPS=9",
                          "--gin.MODEL_DIR={tmp_path}/m", "--gin.BATCH_SIZE=0"])
except errors.UserError as error:
  print(error)
print({{"jax", "tensorflow", "seqio"}} & set(sys.modules))
"""
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True
  )
  assert "BATCH_SIZE" in done.stdout and done.stdout.endswith("set()\n")
  assert not (tmp_path / "m").exists()
