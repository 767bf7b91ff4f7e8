"""`distill cache ask`, from a clone without an install."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from distill import errors  # noqa: E402
from distill.commands import cache_ask  # noqa: E402

sys.exit(errors.run_command(cache_ask.main))
