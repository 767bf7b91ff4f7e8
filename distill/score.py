"""`distill score`: `distill infer --gin.MODE=score` under its former name."""

import sys
from collections.abc import Sequence

from distill import errors, gin_flags


def main(argv: Sequence[str]) -> None:
  """Writes log-likelihoods as flags and gin files say."""
  gin_flags.run("infer", ["--gin_file=runs/score.gin", *argv])


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
