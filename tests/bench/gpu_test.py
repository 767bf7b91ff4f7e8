"""The benchmark of a GPU, run on the CPU at the smallest size."""

import dataclasses
import importlib
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
from flax import linen as nn

from distill.model import layers, network

ROOT = pathlib.Path(__file__).parents[2]
SMALL = ["--rows=2", "--inputs=16", "--targets=8", "--steps=1", "--size=tiny"]


@pytest.fixture
def bench(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT / "bench"))
  yield importlib.import_module("gpu"), importlib.import_module("attention")
  monkeypatch.undo()
  layers.Attention = sys.modules["attention"].VARIANTS["plain"]
  for name in ("gpu", "attention"):
    del sys.modules[name]


def test_the_script_prints_a_line():
  done = subprocess.run(
    ["sh", "bench/gpu.sh", "--line=training:plain", *SMALL],
    cwd=ROOT,
    env=os.environ
    | {
      "PYTHON": sys.executable,
      "XLA_FLAGS": os.environ["ONE_DEVICE_XLA_FLAGS"],
    },
    capture_output=True,
    text=True,
    check=True,
  )
  header, _, line = done.stdout.strip().splitlines()
  names = [cell.strip() for cell in header.strip("|").split("|")]
  cells = [cell.strip() for cell in line.strip("|").split("|")]
  found = dict(zip(names, cells, strict=True))
  assert [found[name] for name in ("size", "program", "attention", "rows")] == [
    *("tiny", "training", "plain", "2")
  ]
  assert float(found["rows/s"]) > 0
  assert found["MFU"] == "unknown peak"


def test_packed_rows_are_segments_that_begin_anew(bench):
  gpu, _ = bench
  batch = gpu.packed_rows(vocab_size=10, rows=2, inputs=8, targets=4)
  np.testing.assert_array_equal(
    batch["encoder_segment_ids"], [[1, 1, 2, 2, 3, 3, 4, 4]] * 2
  )
  np.testing.assert_array_equal(
    batch["decoder_segment_ids"], [[1, 2, 3, 4]] * 2
  )
  # Each decoder segment has one token, which follows the beginning.
  np.testing.assert_array_equal(batch["decoder_input_tokens"], [[0] * 4] * 2)
  assert batch["encoder_input_tokens"].min() >= 3


@pytest.mark.long
def test_decoding_is_measured(bench):
  gpu, _ = bench
  options = gpu.parse([*SMALL, "--rows=8", "--measure=tiny:decoding:plain"])
  assert gpu.measured(options)["rows/s"] > 0


@pytest.mark.long
def test_dot_product_attention_is_the_students_attention(bench):
  """Logits and gradients, with position bias, packing and padding."""
  gpu, attention = bench
  model = gpu.network("models/tiny_byte.gin")
  batch = gpu.packed_rows(vocab_size=384, rows=8, inputs=16, targets=8)
  batch["encoder_input_tokens"][:, -3:] = 0
  batch["decoder_target_tokens"][:, -1:] = 0
  config = dataclasses.replace(model.module.config, dtype="float32")
  model = dataclasses.replace(model, module=network.Transformer(config))
  shapes = {name: array.shape for name, array in batch.items()}
  params = nn.unbox(model.init(jax.random.key(0), shapes)["params"])

  def loss(params):
    return model.loss_fn(params, batch, model.coefficients(batch, 0), None)[0]

  found = {}
  for variant in ("plain", "xla"):
    attention.use(variant)
    found[variant] = jax.value_and_grad(loss)(params)
  (plain, gradients), (fused, others) = found["plain"], found["xla"]
  np.testing.assert_allclose(fused, plain, rtol=1e-6)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6),
    gradients,
    others,
  )
