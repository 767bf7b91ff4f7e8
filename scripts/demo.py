"""Distills students end to end, from a dataset without rationales.

Runs `distill compare` on gin_configs/grids/demo.gin: makes a procedural
dataset, asks the built-in teacher, caches its rationales, trains students by
three methods on the same labeled examples for the same number of steps, and
prints their test accuracy. Writes the table, `results.json` and `results.png`.
A run that was stopped resumes.
"""

import argparse
import sys
from collections.abc import Sequence

from distill import errors
from distill.commands import compare


def main(argv: Sequence[str]) -> None:
  """Runs the demo and prints the table."""
  parser = argparse.ArgumentParser(
    prog="scripts/demo.sh", description=__doc__, allow_abbrev=False
  )
  parser.add_argument("--seeds", type=int, default=1, help="seeds per method")
  parser.add_argument(
    "--controls",
    action="store_true",
    help="add fine-tuning at equal target tokens, and step-by-step on"
    " shuffled and on token-permuted rationales",
  )
  parser.add_argument(
    "--jobs",
    type=int,
    default=2,
    help="students trained in parallel; each uses one core",
  )
  parser.add_argument("--output_dir", default="demo")
  options = parser.parse_args(argv)
  flags = [f"--gin.SEEDS={tuple(range(options.seeds))}"]
  if options.controls:
    methods = "finetune", "step_by_step", "cot"
    more = "step_by_step_shuffled", "step_by_step_permuted"
    flags += [
      f"--gin.METHODS={(*methods, *more)}",
      "--gin.EQUAL_TOKENS={'finetune': 'step_by_step'}",
    ]
  compare.main(
    [
      "--gin_file=grids/demo.gin",
      f"--output_dir={options.output_dir}",
      f"--jobs={options.jobs}",
      *flags,
    ]
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
