"""`distill compare`: runs a grid of students and says who does better."""

import argparse
import pathlib
import shlex
import sys
from collections.abc import Sequence

from distill import errors, gin_flags


def make_parser() -> argparse.ArgumentParser:
  """Returns the parser of the flags that are not gin's."""
  parser = argparse.ArgumentParser(
    prog="python -m distill.compare",
    description="Trains and tests every student of a grid, skips what is done,"
    " and writes results.json, tables and figures into --output_dir.",
    epilog="Each macro of the grid can be given: --gin.SEEDS='(0, 1, 2)'.",
    allow_abbrev=False,
  )
  add = parser.add_argument
  add("--gin_file", help="the grid, such as grids/last_letters.gin")
  add("--output_dir", type=pathlib.Path, help="default: the grid's name")
  add("--jobs", type=int, default=2, help="cells at a time, a core each")
  return parser


def main(argv: Sequence[str]) -> None:
  """Runs a grid, or what is left of it, and prints its tables."""
  options, rest = make_parser().parse_known_args(argv)
  from distill.comparison import grid as grid_lib
  from distill.comparison import running

  flags = gin_flags.parse_flags("compare", rest)
  grid = grid_lib.read_grid(
    options.gin_file, flags.gin_bindings, flags.search_path
  )
  folder = options.output_dir or pathlib.Path(grid.name)
  command = shlex.join(["distill", "compare", *argv])
  results = running.run(grid, folder, options.jobs, command)
  print(results)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
