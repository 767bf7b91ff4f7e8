"""The shape of the code: imports run one way, files stay small.

docs/architecture.md says why; this holds it true.
"""

import ast
import collections
import pathlib
import re
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
  "planning",
  "comparison",
  "reporting",
]
HEAVY = {"jax", "flax", "optax", "orbax", "tensorflow", "seqio", "matplotlib"}
SOURCES = sorted(
  path
  for folder in ("distill", "tasks")
  for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
# Of distill/ and tasks/, without blank lines, comments and docstrings.
MOST_FILES = 182
MOST_CODE_LINES = 21_285


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


def code_lines(path):
  """Returns the number of lines that are no blanks, comments or docstrings."""
  text = path.read_text()
  other = set()
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
      docstring = node.body[0]
      other |= set(range(docstring.lineno, docstring.end_lineno + 1))
  return sum(
    bool(line.strip()) and not line.strip().startswith("#")
    for number, line in enumerate(text.splitlines(), start=1)
    if number not in other
  )


def test_files_stay_small():
  lengths = {
    path: len(path.read_text().splitlines())
    for path in SOURCES
    if path.name != "__init__.py"
  }
  assert not [path for path, length in lengths.items() if length > 400]
  assert statistics.median(lengths.values()) < 200


def test_the_code_does_not_grow():
  """A feature may raise the two figures: set them anew, with a reason."""
  lines = sum(code_lines(path) for path in SOURCES)
  found = f"{len(SOURCES)} files, {lines} lines of code"
  assert len(SOURCES) <= MOST_FILES and lines <= MOST_CODE_LINES, found


def names_twice(found):
  paths = list(found)
  counts = collections.Counter(path.name for path in paths)
  return {
    name: [str(path.relative_to(ROOT)) for path in paths if path.name == name]
    for name, count in counts.items()
    if count > 1
  }


def test_no_module_name_stands_for_two_things():
  assert not names_twice(
    path for path in in_folder("") if path.name != "__init__.py"
  )


def test_no_test_file_name_stands_twice():
  assert not names_twice(path for path in TESTS if path.name != "conftest.py")


def test_each_module_has_a_test_file_or_the_page_says_where_it_is_tested():
  page = (ROOT / "docs" / "architecture.md").read_text()
  named = set(re.findall(r"\b\w+\.py\b", page))
  tested = {path.name.replace("_test.py", ".py") for path in TESTS}
  assert not [
    str(path.relative_to(ROOT))
    for path in SOURCES
    if path.name != "__init__.py" and path.name not in named | tested
  ]
