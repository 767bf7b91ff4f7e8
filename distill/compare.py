"""`distill compare`: runs a grid of students and says who does better."""

import argparse
import pathlib
import shlex
import sys
import time
from collections.abc import Sequence

from distill import errors, gin_flags


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
  from distill.comparison import figures, running, tables
  from distill.comparison import grid as grid_lib

  begun = time.monotonic()
  flags = gin_flags.parse_flags("compare", rest)
  grid = grid_lib.read_grid(
    options.gin_file, flags.gin_bindings, flags.search_path
  )
  folder = options.output_dir or pathlib.Path(grid.name)
  command = shlex.join(["distill", "compare", f"--gin_file={options.gin_file}"])
  bound = [shlex.quote(f"--gin.{text}") for text in flags.gin_bindings]
  results = running.run(grid, folder, options.jobs, " ".join([command, *bound]))
  figures.draw(results, folder / "results.png")
  report = tables.report(results)
  (folder / "results.md").write_text(report, encoding="utf-8")
  print(f"\n{report}")
  minutes = (time.monotonic() - begun) / 60
  print(f"{folder}/results.json, .md, .png: {minutes:.1f} minutes")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
