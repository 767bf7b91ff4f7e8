"""`python -m distill.evaluate`, and the address that gin files bind."""

import sys

from distill import errors
from distill.commands.evaluate import evaluate, main

__all__ = ["evaluate", "main"]

if __name__ == "__main__":
  sys.exit(errors.run_command(main))
