"""A cache of rationales and a student trained on it, for all commands."""

import os
import subprocess
import sys

import pytest

from distill.commands import cache_ask

EXPERIMENT = "--gin_file=experiments/last_letters_tiny_step_by_step.gin"
# So small that a start of Python takes longest.
SMALL = (
  "--gin.TASK_FEATURE_LENGTHS={'inputs': 64, 'targets': 64}",
  "--gin.BATCH_SIZE=8",
  "--gin_bindings=T5Config.emb_dim=32",
  "--gin_bindings=T5Config.mlp_dim=32",
  "--gin_bindings=T5Config.num_encoder_layers=1",
  "--gin_bindings=T5Config.num_decoder_layers=1",
)


@pytest.fixture(scope="session", autouse=True)
def data_dir(tmp_path_factory):
  """The built-in teacher's rationales under $DISTILL_DATA_DIR."""
  folder = tmp_path_factory.mktemp("data")
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DISTILL_DATA_DIR", str(folder))
    cache_ask.main(["--task=last_letters"])
    yield folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
  """A cache whose answers are wrong for a fifth of the examples."""
  directory = tmp_path_factory.mktemp("cache") / "last_letters"
  flags = ["--task=last_letters", "--error_rate=0.2"]
  cache_ask.main([*flags, f"--output_dir={directory}"])
  return directory


@pytest.fixture(scope="session")
def small_flags():
  """Names step-by-step on last letters, and a student that is tiny."""
  return [EXPERIMENT, *SMALL]


@pytest.fixture(scope="session")
def trained(tmp_path_factory, data_dir, small_flags):
  """A MODEL_DIR of 200 steps, and what its training printed."""
  model_dir = tmp_path_factory.mktemp("trained") / "model"
  done = subprocess.run(
    [
      *(sys.executable, "-m", "distill.train", *small_flags),
      *(f"--gin.MODEL_DIR={model_dir}", "--gin.TRAIN_STEPS=200"),
      *("--gin.EVAL_PERIOD=100", "--gin.EVALUATOR_NUM_EXAMPLES=16"),
      *("--gin.SAVE_PERIOD=50", "--gin.STATS_PERIOD=50"),
    ],
    env={**os.environ, "XLA_FLAGS": os.environ["ONE_DEVICE_XLA_FLAGS"]},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  return model_dir, (done.stdout + done.stderr).splitlines()
