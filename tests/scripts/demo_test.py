"""The demo: which grid its flags ask for, and what it prints."""

import importlib.util
import pathlib

from distill import gin_run
from distill.comparison import grid as grid_lib
from distill.comparison import results, tables
from distill.comparison.cell import cells_of

ROOT = pathlib.Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location(
  "demo", ROOT / "scripts" / "demo.py"
)
demo = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(demo)
METHODS = ["finetune", "step_by_step", "step_by_step_shuffled"]


def cells(*argv):
  file, output, jobs, *rest = demo.flags_of(demo.make_parser().parse_args(argv))
  assert (output, jobs) == ("--output_dir=demo", "--jobs=2")
  flags = gin_run.parse_flags("compare", [file, *rest])
  grid = grid_lib.read_grid(
    flags.gin_file[0], flags.gin_bindings, flags.search_path
  )
  return [(cell.method, cell.seed) for cell in cells_of(grid, pathlib.Path())]


def test_a_student_for_each_method_and_seed():
  assert cells() == [(method, 0) for method in METHODS]
  assert cells("--seeds=2") == [
    (method, seed) for method in METHODS for seed in (0, 1)
  ]


def test_five_lines_and_the_table_of_the_readme():
  found = results.read_results(ROOT / "docs" / "results" / "demo.json")
  printed = demo.summary(found)
  table = tables.results_table(found.rows)
  lines = printed.replace(table, "").split("\n")
  # The fifth names the files.
  assert len(list(filter(None, lines))) == 4
  assert table in printed and table in (ROOT / "README.md").read_text()
  assert f"{len(found.rows)} students learned last_letters" in lines[0]
