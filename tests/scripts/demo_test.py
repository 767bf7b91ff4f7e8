"""The demo: which grid its flags ask for."""

import importlib.util
import pathlib

import pytest

from distill import gin_run
from distill.comparison import grid as grid_lib
from distill.comparison.cell import cells_of

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def cells(monkeypatch):
  """Returns the cells that the demo would run with some flags."""
  spec = importlib.util.spec_from_file_location(
    "demo", ROOT / "scripts" / "demo.py"
  )
  demo = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(demo)

  def asked(*argv):
    told = []
    monkeypatch.setattr(demo.compare, "main", told.extend)
    demo.main(argv)
    file, output, jobs, *rest = told
    assert (output, jobs) == ("--output_dir=demo", "--jobs=2")
    flags = gin_run.parse_flags("compare", [file, *rest])
    grid = grid_lib.read_grid(
      flags.gin_file[0], flags.gin_bindings, flags.search_path
    )
    return [(cell.label, cell.seed) for cell in cells_of(grid, pathlib.Path())]

  return asked


METHODS = ["finetune", "step_by_step", "cot"]
CONTROLS = [
  *("step_by_step_shuffled", "step_by_step_permuted"),
  "finetune, equal tokens",
]


def test_one_seed_of_three_methods(cells):
  assert cells() == [(method, 0) for method in METHODS]


def test_seeds_and_controls(cells):
  assert cells("--seeds=2", "--controls") == [
    (method, seed) for method in METHODS + CONTROLS for seed in (0, 1)
  ]
