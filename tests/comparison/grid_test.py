"""A grid's file: its macros and its errors."""

import pytest

from distill import errors, gin_files, gin_run
from distill.commands import compare
from distill.comparison import cell
from distill.comparison import grid as grid_lib

SMALLEST = """
FAMILIES = ('last_letters',)
METHODS = ('finetune', 'step_by_step')
MODELS = {'tiny': 'experiments/last_letters_tiny_{method}.gin'}
"""
COMMITTED = sorted((gin_run.GIN_CONFIGS / "grids").glob("*.gin"))


def read(tmp_path, text, *bindings):
  path = tmp_path / "mine.gin"
  path.write_text(text)
  return grid_lib.read_grid(str(path), bindings, [""])


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("METHODS = ('fine_tune',)", ["fine_tune", "'finetune'"]),
    ("SEED = (1,)", ["'SEED'", "SEEDS"]),
    ("SEEDS = 3", ["SEEDS", "3", "(0, 1)"]),
    ("SEEDS = ()", ["no cell"]),
    ("MODELS = 'models/tiny_byte.gin'", ["MODELS", "{'name'"]),
    ("MACROS = {'finetunes': {}}", ["finetunes", "finetune"]),
    ("PROTOCOL = 'best'", ["best_on_validation", "best_on_test"]),
    ("EQUAL_TOKENS = {'finetune': 'cot'}", ["EQUAL_TOKENS", "'cot'"]),
    ("EQUAL_FLOPS = {'cot': 'finetune'}", ["EQUAL_FLOPS", "'cot'"]),
    ("OTHER_XLA = {'flag': '--xla'}", ["OTHER_XLA", "'flags'"]),
    ("OTHER_XLA = {'flags': '--xla'}", ["OTHER_XLA", "'seeds'"]),
  ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
  with pytest.raises(errors.UserError) as caught:
    cell.cells_of(read(tmp_path, SMALLEST + text), tmp_path)
  for word in words:
    assert word in str(caught.value)


def test_half_a_grid(tmp_path):
  with pytest.raises(errors.UserError, match="no METHODS, MODELS"):
    read(tmp_path, "FAMILIES = ('last_letters',)")


def test_grid_files_are_gin_alone():
  assert COMMITTED
  for path in COMMITTED:
    survey = gin_files.Survey([""])
    survey.add_file(str(path))
    assert not survey.read and not survey.imported


def test_compare_refuses_what_its_cells_would_not_be_given(tmp_path):
  (tmp_path / "mine.gin").write_text(SMALLEST)
  with pytest.raises(errors.UserError, match="--process_count"):
    compare.main([f"--gin_file={tmp_path}/mine.gin", "--process_count=2"])
