"""`python -m distill.infer`, and the address that gin files bind."""

import sys

from distill import errors
from distill.commands.infer import infer, main

__all__ = ["infer", "main"]

if __name__ == "__main__":
  sys.exit(errors.run_command(main))
