"""docs/quickstart.ipynb: its code cells, run in order as they stand."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
CELLS = json.loads((ROOT / "docs/quickstart.ipynb").read_text())["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_the_notebook_is_stored_without_output():
  assert not any(cell["outputs"] or cell["execution_count"] for cell in CODE)


def test_what_the_notebook_imports_is_there():
  lines = [line for cell in CODE for line in cell["source"]]
  imports = [line for line in lines if line.startswith("from distill")]
  assert imports
  for line in imports:
    module, name = re.fullmatch(r"from (\S+) import (\w+)\n?", line).groups()
    assert importlib.util.find_spec(f"{module}.{name}"), line


@pytest.mark.long
def test_the_notebook_trains_and_evaluates_a_student(tmp_path):
  program = "\n\n".join("".join(cell["source"]) for cell in CODE)
  done = subprocess.run(
    [sys.executable, "-c", program],
    cwd=tmp_path,
    env={
      **os.environ,
      "PYTHONPATH": str(ROOT),
      "MPLBACKEND": "Agg",
      "TMPDIR": str(tmp_path),
      "XLA_FLAGS": "",
    },
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  [plot] = tmp_path.glob("quickstart-*/loss.png")
  assert plot.read_bytes().startswith(b"\x89PNG")
  lines = done.stdout.splitlines()
  assert "500 examples" in lines
  assert sum(line.startswith("rationale: ") for line in lines) == 2
  # The student learns to write rationales.
  first, last = map(float, lines[-1].split())
  assert last < 0.5 * first
