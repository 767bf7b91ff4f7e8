"""A cell's settings: a difference is named, a failed cell needs no hand."""

import pytest

from distill import errors
from distill.comparison import grid as grid_lib
from distill.comparison import settings, student


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
  [cell] = make_grid().cells()
  settings.keep(make_grid(), cell, tmp_path)
  return cell, student.home_of(tmp_path, cell), tmp_path


def keep(begun, **macros):
  settings.keep(make_grid(**macros), begun[0], begun[2])


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
    make(home / student.FAILED, home / "model/checkpoint_10/state")
    keep(begun, TRAIN_STEPS=steps)
    assert not (home / "model").exists()
  aside = sorted((folder / "set_aside").glob("*/model/checkpoint_10/state"))
  assert [path.read_text() for path in aside] == ["kept", "kept"]


def test_a_test_that_failed_keeps_its_training(begun):
  _, home, folder = begun
  make(
    home / student.FAILED,
    home / "model/checkpoint_10/state",
    home / "test/last_letters/metrics.json",
  )
  keep(begun, EVAL_SPLIT="validation")
  assert (home / "model/checkpoint_10/state").exists()
  assert not (home / "test").exists()
  assert list((folder / "set_aside").glob("*test*/last_letters/metrics.json"))
