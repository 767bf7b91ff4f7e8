"""Where a fine-tuning by T5X ends, and what is refused before it starts."""

import pytest

from distill import errors
from distill.t5x_engine import steps


@pytest.mark.parametrize(
  ("path", "relative", "first"),
  [
    ([], True, 0),
    ("/public/t5_1_1_base/checkpoint_1000000", True, 1_000_000),
    ("gs://bucket/run/checkpoint_20/", True, 20),
    ("gs://bucket/run/checkpoint_20", False, 0),
    ("/converted/by/name", False, 0),
  ],
)
def test_fine_tuning_counts_from_its_checkpoint(path, relative, first, caplog):
  caplog.set_level("INFO", logger="absl")
  given = steps.initial_checkpoint(path, None)
  found = steps.first_step(relative, given)
  assert found == first
  assert steps.total_steps(10, relative, found) == first + 10
  start = "from the start of fine-tuning" if relative else "pretraining's"
  assert start in caplog.text and f"step {first + 10}." in caplog.text


def test_a_list_of_one_path_is_that_path():
  assert steps.initial_checkpoint(["/a"], None) == "/a"
  assert steps.initial_checkpoint(None, None) == []


def test_what_t5x_cannot_do_is_refused():
  with pytest.raises(errors.UserError, match="RELATIVE_STEPS = False"):
    steps.first_step(True, "/converted/by/name")
  with pytest.raises(errors.UserError, match="ALLOW_MISSING"):
    steps.initial_checkpoint("/a", "decoder/.*")
