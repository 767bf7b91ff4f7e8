"""`distill compare`: runs a grid of students and says who does better."""

import argparse
import pathlib
import shlex
import time
from collections.abc import Sequence

from distill import console, errors, gin_run, quick_checks
from distill.comparison.grid import Flags, Grid, read_grid
from distill.flags import Parser, add_fields, from_flags


def make_parser() -> Parser:
  """Returns the parser of the flags that are not gin's."""
  parser = Parser(
    "distill compare",
    description="Trains and tests every student of a grid that is not finished"
    " yet, and writes results.json, a report and a figure. Macros of the grid"
    " are flags: --gin.SEEDS='(0, 1, 2)'.",
  )
  add = parser.add_argument
  add("--gin_file", help="the grid, such as grids/last_letters.gin")
  add("--output_dir", type=pathlib.Path, help="default: the grid's name")
  add("--jobs", type=int, default=2, help="students in parallel, one core each")
  add_fields(add, Flags)
  return parser


def main(argv: Sequence[str]) -> None:
  """Runs what is left of a grid and prints its tables."""
  parser = make_parser()
  parser.check_names(argv, ["--gin.", "--gin_bindings"])
  options, rest = parser.parse_known_args(argv)
  if not options.gin_file or options.jobs < 1:
    raise errors.UserError(
      "There is no grid to run, or no job to run it.",
      expected="--gin_file=grids/X.gin, --jobs=1 or more",
      found=shlex.join(argv) or "no flag",
    )
  begun = time.monotonic()
  with console.watch_signals(console.end_process):
    grid, folder, command = _read(options, rest)
    from distill.comparison import figures, running, tables, verdicts
  results = running.run(grid, folder, options.jobs, command)
  figures.draw(results, folder / "results.png")
  report = tables.report(results)
  (folder / "results.md").write_text(report, encoding="utf-8")
  print("\n" + "\n".join(verdicts.sentences(results)))
  console.print_table(*verdicts.narrow_table(results))
  minutes = (time.monotonic() - begun) / 60
  print(f"{folder}/results.json, .md, .png: {minutes:.1f} minutes")
  print(f"a page of all of it: distill report {folder}")


def _read(
  options: argparse.Namespace, rest: Sequence[str]
) -> tuple[Grid, pathlib.Path, str]:
  """Returns the grid, the folder of its results, and the whole command."""
  console.say(f"reading {options.gin_file}")
  flags = from_flags(options, Flags)
  bindings = list(gin_run.parse_flags("train", rest).gin_bindings)
  folders = filter(None, flags.gin_search_paths.split(","))
  path = gin_run.search_path(folders)
  grid = read_grid(options.gin_file, bindings, path, flags)
  folder = options.output_dir or pathlib.Path(grid.name)
  quick_checks.check_folder(str(folder), "--output_dir")
  words = [
    *("distill", "compare", f"--gin_file={options.gin_file}"),
    *(f"--module={module}" for module in flags.module),
    *flags.argv(),
    *(f"--gin.{text}" for text in bindings),
  ]
  return grid, folder, shlex.join(words)
