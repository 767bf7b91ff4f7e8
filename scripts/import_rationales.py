"""`distill import_rationales`, from a clone without an install."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from distill import errors, import_rationales  # noqa: E402

sys.exit(errors.run_command(import_rationales.main))
