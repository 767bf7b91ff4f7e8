"""Pretraining on a file of tokens: without TensorFlow, resumed exactly."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from distill.checkpoint_formats import loading
from distill.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "pretrain_tokens.py"
SIZES = {
  **{"emb_dim": 8, "num_layers": 1, "num_heads": 2, "head_dim": 4},
  **{"mlp_dim": 8, "inputs": 16, "targets": 10, "batch_size": 4},
}
# As on a machine that has only what the script needs.
BLOCKED = """
import runpy, sys
for name in ("tensorflow", "seqio", "gin", "clu", "sentencepiece"):
  sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def script():
  spec = importlib.util.spec_from_file_location("pretrain_tokens", SCRIPT)
  module = importlib.util.module_from_spec(spec)
  sys.modules["pretrain_tokens"] = module  # dataclasses look it up
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope="module")
def tokens():
  return np.random.default_rng(0).integers(3, 100, 500).astype(np.uint16)


def test_it_runs_without_tensorflow_and_writes_an_initial_checkpoint(
  tokens, tmp_path
):
  np.save(tmp_path / "tokens.npy", tokens)
  flags = [f"--{name}={size}" for name, size in SIZES.items()]
  run = subprocess.run(
    [
      *(sys.executable, "-c", BLOCKED, str(SCRIPT), *flags, "--steps=2"),
      f"--tokens={tmp_path}/tokens.npy",
      f"--output={tmp_path}/out",
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  assert run.returncode == 0, run.stderr
  assert "step 2 loss" in run.stdout and "SHA-256" in run.stdout
  checkpoint = loading.open_checkpoint(tmp_path / "out" / "model")
  embedding = checkpoint.tensors["token_embedder/embedding"]
  assert embedding.shape == (384, 8) and embedding.dtype == "bfloat16"
  recipe = json.loads((tmp_path / "out" / "model" / "recipe.json").read_text())
  assert recipe["steps"] == 2 and recipe["emb_dim"] == 8


@pytest.mark.long
def test_a_stopped_run_resumes_with_the_same_parameters(
  script, tokens, tmp_path
):
  def train(steps, folder):
    recipe = script.Recipe(**SIZES, steps=steps, save_period=2)
    params = script.train(recipe, tokens, tmp_path / folder)
    return jax.tree.leaves(jax.device_get(params))

  straight = train(4, "a")
  train(2, "b")
  for one, other in zip(straight, train(4, "b"), strict=True):
    np.testing.assert_array_equal(one, other)


def test_a_batch_has_the_text_once_and_its_sentinels(script, tokens):
  recipe = script.Recipe(**SIZES, vocab_size=120)
  batch = recipe.batch(tokens, 7)
  assert batch["inputs"].shape[0] == batch["targets"].shape[0] == 4
  assert batch["inputs"].shape[1] <= 16 and batch["targets"].shape[1] <= 10
  for inputs, targets in zip(batch["inputs"], batch["targets"], strict=True):
    assert inputs[-1] == targets[-1] == 1
    assert targets[0] == 119 and 119 in inputs
  again = recipe.batch(tokens, 7)
  np.testing.assert_array_equal(batch["inputs"], again["inputs"])


def test_tokens_beyond_the_vocabulary_are_a_user_error(script, tmp_path):
  np.save(tmp_path / "tokens.npy", np.array([3, 300], np.uint16))
  with pytest.raises(UserError, match="below --vocab_size=259"):
    script.main([f"--tokens={tmp_path}/tokens.npy", f"--output={tmp_path}"])
