"""Cells: the flags of their commands, and settings that change."""

import pathlib

import pytest

from distill import errors, gin_run
from distill.comparison import cell as cell_lib
from distill.comparison import grid as grid_lib
from distill.comparison.cell import (
  FAILED,
  check_cells,
  keep_settings,
  modules_of_family,
)

SMALLEST = """
FAMILIES = ('last_letters',)
METHODS = ('finetune', 'step_by_step')
MODELS = {'tiny': 'experiments/last_letters_tiny_{method}.gin'}
"""
COMMITTED = sorted((gin_run.GIN_CONFIGS / "grids").glob("*.gin"))


def read_grid(tmp_path, text, *bindings):
  path = tmp_path / "mine.gin"
  path.write_text(text)
  return grid_lib.read_grid(str(path), bindings, [""])


def cells_of(grid, folder=pathlib.Path()):
  return cell_lib.cells_of(grid, folder)


def test_the_smallest_grid(tmp_path):
  grid = read_grid(tmp_path, SMALLEST)
  assert grid.name == "mine"
  assert [cell.name for cell in cells_of(grid)] == [
    "last_letters-finetune-tiny-f1-c1-s0",
    "last_letters-step_by_step-tiny-builtin-f1-c1-s0",
  ]
  told = cells_of(grid)[1].flags("train")
  assert told == [
    "--gin_file=experiments/last_letters_tiny_step_by_step.gin",
    "--gin.RANDOM_SEED=0",
    "--gin.MIXTURE_OR_TASK_NAME='last_letters_step_by_step'",
  ]
  [*_, task] = cells_of(grid)[1].flags("evaluate")
  assert task == "--gin.MIXTURE_OR_TASK_NAME='last_letters_label'"


def test_sizes_coverages_and_teachers(tmp_path):
  grid = read_grid(
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
  cells = cells_of(grid)
  # Fine-tuning has neither teachers nor coverages.
  assert len(cells) == 3 * (1 + 2 * 2)
  assert len({cell.name for cell in cells}) == len(cells)
  cell = next(c for c in cells if c.coverage < 1 and c.size == 8)
  told = cell.flags("train")
  for text in ("NUM_TRAIN_EXAMPLES=8", "RATIONALE_COVERAGE=0.25"):
    assert f"--gin.{text}" in told
  # The seed chooses the examples too.
  assert "--gin.DATA_SEED=3" in told and "--gin.RANDOM_SEED=3" in told
  assert not any("DATA_FRACTION" in flag for flag in told)


def test_a_student_for_each_comparison_at_an_equal_budget(tmp_path):
  budgets = "".join(
    f"EQUAL_{name} = {{'finetune': 'step_by_step'}}\n"
    for name in ("LABEL_ROWS", "TOKENS", "FLOPS")
  )
  cells = cells_of(read_grid(tmp_path, SMALLEST + budgets))
  assert [(c.comparison, c.budget_of) for c in cells if c.budget_of] == [
    ("equal_label_rows", "step_by_step"),
    ("equal_tokens", "step_by_step"),
    ("equal_flops", "step_by_step"),
  ]
  # The name of the folder did not change, so that older runs resume.
  names = [cell.name for cell in cells]
  assert "last_letters-finetune_equal_tokens-tiny-f1-c1-s0" in names


def test_some_seeds_and_sizes_are_repeated_with_other_xla_settings(tmp_path):
  text = SMALLEST + "COUNTS = (8, 16)\nFRACTIONS = ()\nSEEDS = (0, 1, 2)\n"
  asked = "{'flags': '--xla_x', 'seeds': (0, 1), 'sizes': (16,)}"
  cells = cells_of(read_grid(tmp_path, text, f"OTHER_XLA={asked}"))
  repeated = [cell for cell in cells if cell.xla]
  assert [(c.method, c.size, c.seed) for c in repeated] == [
    (method, 16, seed)
    for method in ("finetune", "step_by_step")
    for seed in (0, 1)
  ]
  assert len({cell.name for cell in cells}) == len(cells) == 12 + 4
  assert repeated[0].settings()["train"]["XLA_FLAGS"] == "--xla_x"
  assert "XLA_FLAGS" not in cells[0].settings()["train"]


def test_macros_of_a_method_win_over_those_of_all(tmp_path):
  text = SMALLEST + "MACROS = {'all': {'TRAIN_STEPS': 5, 'ALPHA': 0.1},"
  grid = read_grid(tmp_path, text + " 'finetune': {'TRAIN_STEPS': 7}}")
  first, second = (c.flags("train") for c in cells_of(grid))
  assert "--gin.TRAIN_STEPS=7" in first and "--gin.TRAIN_STEPS=5" in second
  # What only training knows is not told to the evaluation.
  text = SMALLEST + "MACROS = {'all': {'WARMUP_STEPS': 5, 'NONSENSE': 1}}"
  grid = read_grid(tmp_path, text)
  told = cells_of(grid)[0].flags("evaluate")
  assert "--gin.WARMUP_STEPS=5" not in told and "--gin.NONSENSE=1" in told


def test_the_optimistic_protocol_keeps_every_checkpoint(tmp_path):
  grid = read_grid(tmp_path, SMALLEST, "PROTOCOL=best_on_test")
  told = cells_of(grid)[0].flags("train")
  assert "--gin.KEEP_CHECKPOINTS=None" in told


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_grids_tell_the_commands_what_they_know(
  path, tmp_path, monkeypatch
):
  # The header of esnli.gin says to make these first.
  for made in (
    "english/spiece.model",
    "english-starter/model/model.safetensors",
  ):
    (tmp_path / made).parent.mkdir(parents=True)
    (tmp_path / made).touch()
  monkeypatch.chdir(tmp_path)
  grid = grid_lib.read_grid(str(path), [], gin_run.search_path())
  check_cells(cells_of(grid))


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
  check_cells(cells_of(grid))
  [cell] = cells_of(grid)
  assert cell.modules() == ["json"]
  assert modules_of_family([cell], "mine") == ["json"]


def test_a_family_that_nothing_registers_is_found_at_once(tmp_path):
  with pytest.raises(errors.UserError, match="'mine'") as caught:
    check_cells(cells_of(own_grid(tmp_path)))
  assert "--module" in caught.value.remedy


def test_folders_reach_the_commands_and_are_no_settings(tmp_path):
  given = {"tfds_data_dir": "/t", "seqio_additional_cache_dirs": "/c,/d"}
  grid = own_grid(tmp_path, module=["json"], **given)
  [cell] = cells_of(grid)
  for command in ("train", "evaluate"):
    told = cell.flags(command)
    assert "--tfds_data_dir=/t" in told
    assert "--seqio_additional_cache_dirs=/c,/d" in told
    assert f"--gin_search_paths={tmp_path}/gin" in told
  assert "/t" not in str(cell.settings())


def make_grid(**macros):
  return grid_lib.Grid(
    name="tiny",
    families=("last_letters",),
    methods=("finetune",),
    models={"small": "experiments/last_letters_tiny_finetune.gin"},
    macros={"all": {"TRAIN_STEPS": 20, **macros}},
  )


@pytest.fixture
def begun(tmp_path):
  """A cell that was told its settings, and its home."""
  [cell] = cells_of(make_grid(), tmp_path)
  keep_settings(cell)
  return cell, cell.home, tmp_path


def keep(begun, **macros):
  [cell] = cells_of(make_grid(**macros), begun[2])
  keep_settings(cell)


def make(*paths):
  for path in paths:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("kept")


@pytest.mark.parametrize(
  "made", ["rows.json", "model/checkpoint_10/state"], ids=["done", "stopped"]
)
def test_what_is_done_or_stopped_names_what_differs(begun, made):
  make(begun[1] / made)
  keep(begun)
  with pytest.raises(errors.UserError) as caught:
    keep(begun, TRAIN_STEPS=30, ALPHA=0.3)
  error = caught.value
  assert error.expected == "--gin.ALPHA=0.3; --gin.TRAIN_STEPS=30"
  assert error.found == "no --gin.ALPHA; --gin.TRAIN_STEPS=20"
  assert (begun[1] / made).read_text() == "kept"


def test_a_cell_that_has_nothing_yet_takes_new_settings(begun):
  keep(begun, TRAIN_STEPS=30)
  keep(begun, TRAIN_STEPS=30)
  assert not (begun[2] / "set_aside").exists()


def test_a_failed_cell_starts_anew_and_what_it_made_is_kept(begun):
  _, home, folder = begun
  for steps in (30, 40):
    make(home / FAILED, home / "model/checkpoint_10/state")
    keep(begun, TRAIN_STEPS=steps)
    assert not (home / "model").exists()
  aside = sorted((folder / "set_aside").glob("*/model/checkpoint_10/state"))
  assert [path.read_text() for path in aside] == ["kept", "kept"]


def test_a_test_that_failed_keeps_its_training(begun):
  _, home, folder = begun
  make(
    home / FAILED,
    home / "model/checkpoint_10/state",
    home / "test/last_letters/metrics.json",
  )
  keep(begun, EVAL_SPLIT="validation")
  assert (home / "model/checkpoint_10/state").exists()
  assert not (home / "test").exists()
  assert list((folder / "set_aside").glob("*test*/last_letters/metrics.json"))
