"""A grid's file: which cells it means, and what is wrong with it."""

import pytest

from distill import errors, gin_files, gin_run
from distill.commands import compare
from distill.comparison import flags
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


def test_the_smallest_grid(tmp_path):
  grid = read(tmp_path, SMALLEST)
  assert grid.name == "mine"
  assert [cell.name for cell in grid.cells()] == [
    "last_letters-finetune-tiny-f1-c1-s0",
    "last_letters-step_by_step-tiny-builtin-f1-c1-s0",
  ]
  told = flags.flags_of(grid, grid.cells()[1], "train")
  assert told == [
    "--gin_file=experiments/last_letters_tiny_step_by_step.gin",
    "--gin.RANDOM_SEED=0",
    "--gin.MIXTURE_OR_TASK_NAME='last_letters_step_by_step'",
  ]
  [*_, task] = flags.flags_of(grid, grid.cells()[1], "evaluate")
  assert task == "--gin.MIXTURE_OR_TASK_NAME='last_letters_label'"


def test_sizes_coverages_and_teachers(tmp_path):
  grid = read(
    tmp_path,
    SMALLEST
    + """
COUNTS = (8,)
FRACTIONS = (0.5, 1.0)
COVERAGES = (0.25, 1.0)
TEACHERS = {'good': '', 'bad': ''}
SEEDS = (3,)
""",
  )
  cells = grid.cells()
  # Fine-tuning has neither teachers nor coverages.
  assert len(cells) == 3 * (1 + 2 * 2)
  assert len({cell.name for cell in cells}) == len(cells)
  cell = next(c for c in cells if c.coverage < 1 and c.size == 8)
  told = flags.flags_of(grid, cell, "train")
  for text in ("NUM_TRAIN_EXAMPLES=8", "RATIONALE_COVERAGE=0.25"):
    assert f"--gin.{text}" in told
  # The seed chooses the examples too.
  assert "--gin.DATA_SEED=3" in told and "--gin.RANDOM_SEED=3" in told
  assert not any("DATA_FRACTION" in flag for flag in told)


def test_macros_of_a_method_win_over_those_of_all(tmp_path):
  text = SMALLEST + "MACROS = {'all': {'TRAIN_STEPS': 5, 'ALPHA': 0.1},"
  grid = read(tmp_path, text + " 'finetune': {'TRAIN_STEPS': 7}}")
  first, second = (flags.flags_of(grid, c, "train") for c in grid.cells())
  assert "--gin.TRAIN_STEPS=7" in first and "--gin.TRAIN_STEPS=5" in second
  # What only training knows is not told to the evaluation.
  text = SMALLEST + "MACROS = {'all': {'WARMUP_STEPS': 5, 'NONSENSE': 1}}"
  grid = read(tmp_path, text)
  told = flags.flags_of(grid, grid.cells()[0], "evaluate")
  assert "--gin.WARMUP_STEPS=5" not in told and "--gin.NONSENSE=1" in told


def test_the_optimistic_protocol_keeps_every_checkpoint(tmp_path):
  grid = read(tmp_path, SMALLEST, "PROTOCOL=best_on_test")
  told = flags.flags_of(grid, grid.cells()[0], "train")
  assert "--gin.KEEP_CHECKPOINTS=None" in told


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
  ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
  with pytest.raises(errors.UserError) as caught:
    read(tmp_path, SMALLEST + text)
  for word in words:
    assert word in str(caught.value)


def test_half_a_grid(tmp_path):
  with pytest.raises(errors.UserError, match="no METHODS, MODELS"):
    read(tmp_path, "FAMILIES = ('last_letters',)")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_grids_tell_the_commands_what_they_know(path):
  grid = grid_lib.read_grid(str(path), [], gin_run.search_path())
  flags.check(grid)


def test_grid_files_are_gin_alone():
  assert COMMITTED
  for path in COMMITTED:
    survey = gin_files.Survey([""])
    survey.add_file(str(path))
    assert not survey.read and not survey.imported


OWN = """
FAMILIES = ('mine',)
METHODS = ('finetune',)
MODELS = {'tiny': 'mine.gin'}
"""


def own_grid(tmp_path, text="", **given):
  folder = tmp_path / "gin"
  folder.mkdir(exist_ok=True)
  experiment = "include 'experiments/last_letters_tiny_finetune.gin'\n"
  (folder / "mine.gin").write_text(experiment + text)
  (tmp_path / "grid.gin").write_text(OWN)
  given = grid_lib.Flags(gin_search_paths=str(folder), **given)
  return grid_lib.read_grid(str(tmp_path / "grid.gin"), [], [""], given)


@pytest.mark.parametrize(
  ("text", "given"),
  [
    ("", {"module": ["json"]}),
    ("MIXTURE_OR_TASK_MODULE = 'json'", {}),
    ("import json", {}),
  ],
  ids=["flag", "macro", "import"],
)
def test_a_family_of_one_s_own_is_registered_in_its_cells(
  tmp_path, text, given
):
  grid = own_grid(tmp_path, text, **given)
  flags.check(grid)
  [cell] = grid.cells()
  assert flags.modules_of(grid, cell) == ["json"]
  assert flags.modules_of_family(grid, "mine") == ["json"]


def test_a_family_that_nothing_registers_is_found_at_once(tmp_path):
  with pytest.raises(errors.UserError, match="'mine'") as caught:
    flags.check(own_grid(tmp_path))
  assert "--module" in caught.value.remedy


def test_folders_reach_the_commands_and_are_no_settings(tmp_path):
  given = {"tfds_data_dir": "/t", "seqio_additional_cache_dirs": "/c,/d"}
  grid = own_grid(tmp_path, module=["json"], **given)
  [cell] = grid.cells()
  for command in ("train", "evaluate"):
    told = flags.flags_of(grid, cell, command)
    assert "--tfds_data_dir=/t" in told
    assert "--seqio_additional_cache_dirs=/c,/d" in told
    assert f"--gin_search_paths={tmp_path}/gin" in told
  assert "/t" not in str(flags.settings_of(grid, cell))


def test_compare_refuses_what_its_cells_would_not_be_given(tmp_path):
  (tmp_path / "mine.gin").write_text(SMALLEST)
  with pytest.raises(errors.UserError, match="--process_count"):
    compare.main([f"--gin_file={tmp_path}/mine.gin", "--process_count=2"])
