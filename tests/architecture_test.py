"""The shape of the code: imports run one way, files stay small.

docs/architecture.md says why; this holds it true.
"""

import ast
import pathlib
import statistics

import pytest

ROOT = pathlib.Path(__file__).parent.parent
# The way of the data: a folder imports itself and those before it.
ORDER = [
  "answers",
  "teacher",
  "data",
  "model",
  "checkpoint_formats",
  "training",
  "evaluation",
  "comparison",
]
HEAVY = {"jax", "flax", "optax", "orbax", "tensorflow", "seqio", "matplotlib"}
SOURCES = sorted(
  path
  for folder in ("distill", "tasks")
  for path in (ROOT / folder).rglob("*.py")
)


def imported_modules(path):
  """Returns every dotted name that a file imports, at any depth."""
  names = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and node.module:
      names |= {f"{node.module}.{alias.name}" for alias in node.names}
  return names


def in_folder(folder):
  return [p for p in SOURCES if p.is_relative_to(ROOT / "distill" / folder)]


@pytest.mark.parametrize("folder", ORDER)
def test_imports_run_one_way(folder):
  later = ORDER[ORDER.index(folder) + 1 :]
  later += ["contrib"]
  forbidden = tuple(f"distill.{name}" for name in later) + ("tasks",)
  if folder == "training":
    forbidden += ("distill.teacher",)
  if folder in ("model", "checkpoint_formats"):
    forbidden += ("distill.answers", "distill.teacher", "distill.data")
  wrong = [
    f"{path.relative_to(ROOT)} imports {name}"
    for path in in_folder(folder)
    for name in imported_modules(path)
    if name.startswith(forbidden)
  ]
  assert not wrong


def test_answers_and_teachers_need_no_framework():
  wrong = [
    f"{path.relative_to(ROOT)} imports {name}"
    for path in in_folder("answers") + in_folder("teacher")
    for name in imported_modules(path)
    if name.split(".")[0] in HEAVY
  ]
  assert not wrong


def test_tensorflow_stays_in_the_data_pipeline():
  wrong = [
    f"{path.relative_to(ROOT)} imports {name}"
    for path in in_folder("model") + in_folder("checkpoint_formats")
    for name in imported_modules(path)
    if name.split(".")[0] in {"tensorflow", "seqio", "tensorflow_datasets"}
  ]
  assert not wrong


def test_files_stay_small():
  lengths = {
    path: len(path.read_text().splitlines())
    for path in SOURCES
    if path.name != "__init__.py"
  }
  assert not [path for path, length in lengths.items() if length > 400]
  assert statistics.median(lengths.values()) < 200
