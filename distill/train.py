"""`python -m distill.train`, and the address that gin files bind."""

import sys

from distill import errors
from distill.commands.train import main, train

__all__ = ["train", "main"]

if __name__ == "__main__":
  sys.exit(errors.run_command(main))
