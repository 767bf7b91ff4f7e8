"""`distill cache_rationales`, from a clone without an install."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from distill import cache_rationales, errors  # noqa: E402

sys.exit(errors.run_command(cache_rationales.main))
