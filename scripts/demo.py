"""The main job: from a dataset without rationales to tested students.

`distill compare` on gin_configs/grids/demo.gin: procedural data → built-in
teacher → cached rationales → students by three methods on the same labelled
examples for the same number of steps → accuracy on the test split, as a table,
`results.json` and `results.png`. A run that was stopped goes on where it was.
"""

import argparse
import sys
from collections.abc import Sequence

from distill import compare, errors


def main(argv: Sequence[str]) -> None:
  """Runs the demo and prints the table."""
  parser = argparse.ArgumentParser(
    prog="scripts/demo.sh", description=__doc__, allow_abbrev=False
  )
  parser.add_argument("--seeds", type=int, default=1, help="seeds a method")
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
    help="students trained at a time; each keeps one core busy",
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
