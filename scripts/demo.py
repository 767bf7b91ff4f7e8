"""Distills students end to end, from a dataset without rationales.

Runs `distill compare` on gin_configs/grids/demo.gin: makes a procedural
dataset, asks the built-in teacher, caches its rationales, trains students by
three methods on the same labeled examples for the same number of steps, and
prints their test accuracy. Writes the tables, `results.json` and `results.png`.
A run that was stopped resumes.
"""

import argparse
import contextlib
import io
import pathlib
import sys
from collections.abc import Sequence

from distill import errors
from distill.commands import compare
from distill.comparison import results, statistics, tables
from distill.comparison.results import Results


def make_parser() -> argparse.ArgumentParser:
  """Returns the parser of the demo's flags."""
  parser = argparse.ArgumentParser(
    prog="scripts/demo.sh", description=__doc__, allow_abbrev=False
  )
  parser.add_argument("--seeds", type=int, default=1, help="seeds per method")
  parser.add_argument(
    "--jobs",
    type=int,
    default=2,
    help="students trained in parallel; each uses one core",
  )
  parser.add_argument("--output_dir", type=pathlib.Path, default="demo")
  return parser


def flags_of(options: argparse.Namespace) -> list[str]:
  """Returns the flags of `distill compare`."""
  return [
    "--gin_file=grids/demo.gin",
    f"--output_dir={options.output_dir}",
    f"--jobs={options.jobs}",
    f"--gin.SEEDS={tuple(range(options.seeds))}",
  ]


def summary(found: Results) -> str:
  """Returns four lines, and the table of the students between them."""
  label_only, student, control = statistics.at_home(found.rows)
  first, [teacher] = student.first, found.teachers
  differences = [
    f"{first.method} minus {other.first.method}:"
    f" {statistics.difference(student, other)} points"
    for other in (label_only, control)
  ]
  return "\n".join(
    [
      f"{len(found.rows)} students learned {first.task} from"
      f" {first.train_examples} examples, in {first.steps:,} steps each.",
      f"The teacher {teacher.name} gave {teacher.answers} rationales;"
      f" {teacher.accuracy:.0f}% lead to the label.",
      f"\n{tables.results_table(found.rows)}\n",
      *differences,
    ]
  )


def main(argv: Sequence[str]) -> None:
  """Runs the demo and prints the table."""
  options = make_parser().parse_args(argv)
  with contextlib.redirect_stdout(io.StringIO()):  # all of it is in results.md
    compare.main(flags_of(options))
  folder = options.output_dir
  print(f"\n{summary(results.read_results(folder / 'results.json'))}")
  print(f"More: {folder}/results.md, {folder}/results.png")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
