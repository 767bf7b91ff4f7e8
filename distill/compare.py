"""`distill compare`: runs a grid of students and says who does better."""

import argparse
import dataclasses
import pathlib
import shlex
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import (
  console,
  errors,
  gin_flags,
  gin_survey,
  interrupts,
  quick_checks,
)

if TYPE_CHECKING:
  from distill.comparison.grid import Grid


def make_parser() -> argparse.ArgumentParser:
  """Returns the parser of the flags that are not gin's."""
  parser = argparse.ArgumentParser(
    prog="distill compare",
    description="Trains and tests every student of a grid, skips what is done,"
    " and writes results.json, a report and a figure. Macros of the grid are"
    " flags: --gin.SEEDS='(0, 1, 2)'.",
    allow_abbrev=False,
  )
  add = parser.add_argument
  add("--gin_file", help="the grid, such as grids/last_letters.gin")
  add("--output_dir", type=pathlib.Path, help="default: the grid's name")
  add("--jobs", type=int, default=2, help="cells at a time, a core each")
  add(
    "--claims",
    type=pathlib.Path,
    metavar="FOLDER",
    help="run nothing: print docs/claims.md by the result files of FOLDER",
  )
  add(
    "--module",
    action="append",
    default=[],
    help="a Python module that registers your families; may be repeated",
  )
  add(
    "--gin_search_paths",
    default="",
    metavar="FOLDERS",
    help="comma list of more folders that hold gin files, of cells too",
  )
  add(
    "--tfds_data_dir",
    default="",
    metavar="FOLDER",
    help="where TensorFlow Datasets keeps its data, whatever tasks say",
  )
  add(
    "--seqio_additional_cache_dirs",
    default="",
    metavar="FOLDERS",
    help="comma list of folders that seqio_cache_tasks wrote",
  )
  return parser


def main(argv: Sequence[str]) -> None:
  """Runs what is left of a grid and prints its tables."""
  options, rest = make_parser().parse_known_args(argv)
  if options.claims:
    from distill.comparison import claims

    print(claims.page(options.claims), end="")
    return
  if not options.gin_file or options.jobs < 1:
    raise errors.UserError(
      "There is nothing to run, or nobody to run it.",
      expected="--gin_file=grids/X.gin, --jobs=1 or more",
      found=shlex.join(argv) or "no flag",
    )
  begun = time.monotonic()
  with interrupts.watched(interrupts.end):
    grid, folder, command = _read(options, rest)
    from distill.comparison import figures, running, tables
  results = running.run(grid, folder, options.jobs, command)
  figures.draw(results, folder / "results.png")
  report = tables.report(results)
  (folder / "results.md").write_text(report, encoding="utf-8")
  print(f"\n{report}")
  minutes = (time.monotonic() - begun) / 60
  print(f"{folder}/results.json, .md, .png: {minutes:.1f} minutes")


def _read(
  options: argparse.Namespace, rest: Sequence[str]
) -> tuple["Grid", pathlib.Path, str]:
  """Returns the grid, the folder of its results, and the whole command."""
  console.say(f"reading {options.gin_file}")
  from distill.comparison import grid as grid_lib

  shared = {
    field.name: getattr(options, field.name)
    for field in dataclasses.fields(grid_lib.Flags)
  }
  bindings = _bindings(rest)
  folders = filter(None, options.gin_search_paths.split(","))
  grid = grid_lib.read_grid(
    options.gin_file,
    bindings,
    gin_flags.search_path(folders),
    grid_lib.Flags(**shared),
  )
  folder = options.output_dir or pathlib.Path(grid.name)
  quick_checks.check_folder(str(folder), "--output_dir")
  own = [f"--gin_file={options.gin_file}"]
  own += [f"--module={module}" for module in options.module]
  own += grid.flags.argv() + [f"--gin.{text}" for text in bindings]
  command = shlex.join(["distill", "compare", *own])
  return grid, folder, command


def _bindings(argv: Sequence[str]) -> list[str]:
  """Returns the macros that a command line gives.

  Raises:
    UserError: It has a flag that cells would not be given.
  """
  known = [flag for a in make_parser()._actions for flag in a.option_strings]
  for argument in argv:
    name = argument.partition("=")[0]
    if name.startswith("--") and not name.startswith("--gin"):
      close = gin_survey.nearest(name, known)
      raise errors.UserError(
        f"`distill compare` has no flag '{name}'.",
        expected="one of " + ", ".join(known) + ", --gin.NAME",
        remedy=f"did you mean '{close}'?",
      )
  flags = gin_flags.parse_flags("train", argv)
  return list(flags.gin_bindings)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
