"""Starts T5X on every host: `python -m distill.t5x_engine.start train FLAGS`.

T5X itself joins the hosts only under a flag, and only in training. Here every
process joins the others (`distill.multihost`) before T5X's own `__main__` runs
with the flags as they were given.
"""

import importlib
import runpy
import sys
from collections.abc import Sequence

from distill import errors, multihost

SCRIPTS = ("train", "eval", "infer")


def main(argv: Sequence[str]) -> None:
  """Runs `t5x.<argv[0]>` with the remaining arguments.

  Raises:
    UserError: T5X has no such script, or is not installed, or the environment
      does not say which hosts there are.
  """
  script, *flags = argv or [""]
  if script not in SCRIPTS:
    raise errors.UserError(
      f"T5X cannot be started as '{script}'.",
      expected="one of " + ", ".join(SCRIPTS) + ", then T5X's flags",
      remedy="such as `python -m distill.t5x_engine.start train --gin_file=…`",
    )
  try:
    importlib.import_module("t5x")
  except ModuleNotFoundError as error:
    raise errors.UserError(
      "T5X cannot be imported.",
      found=str(error),
      remedy="install it as docs/t5x.md says, or train with `distill.train`",
    ) from error
  # T5X joins by itself under this flag, and must then be the first.
  if not any(flag.startswith("--multiprocess_gpu") for flag in flags):
    multihost.join()
  sys.argv = [f"t5x.{script}", *flags]
  runpy.run_module(f"t5x.{script}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
