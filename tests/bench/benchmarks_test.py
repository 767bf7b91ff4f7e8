"""The benchmarks run on a small student and print what they measured."""

import importlib
import pathlib
import sys

import pytest

BENCH = pathlib.Path(__file__).parents[2] / "bench"
SMALL = [
  "--gin_file=experiments/last_letters_tiny_finetune.gin",
  *("--gin.T5Config.emb_dim=8", "--gin.T5Config.mlp_dim=8"),
  *("--gin.T5Config.num_heads=1", "--gin.T5Config.num_encoder_layers=1"),
  *("--gin.T5Config.num_decoder_layers=1", "--gin.BATCH_SIZE=8"),
]


@pytest.mark.parametrize(
  ("name", "flag"),
  [
    ("decode", "--batches=1"),
    ("read_batches", "--batches=1"),
    ("train", "--steps=1"),
  ],
)
def test_a_benchmark_reports_its_speed(name, flag, monkeypatch, capsys):
  monkeypatch.syspath_prepend(str(BENCH))
  importlib.import_module(name).main([flag, *SMALL])
  for module in (name, "measure"):
    del sys.modules[module]
  out = capsys.readouterr().out
  assert "CPU s per 1,000 examples" in out and "compile seconds" in out
