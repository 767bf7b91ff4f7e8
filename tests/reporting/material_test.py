"""Folders as they are found: finished, half-written, empty, and none."""

import json
import shutil

import pytest

from distill import errors
from distill.reporting import material


def test_a_grid_has_its_students_answers_and_its_cache(grid_folder):
  found = material.read([grid_folder])
  [results] = found.grids.values()
  assert len(results.rows) == len(found.evaluations) == 4
  assert not found.missing
  assert found.caches == [grid_folder / "data/t/last_letters"]
  one = found.evaluations[0]
  assert (one.task, one.split, one.seed) == ("last_letters_label", "test", 0)
  assert one.name == "finetune, 125 examples"
  assert len(one.rows) == len(one.judged) == len(one.rationales) == 500


def test_a_grid_in_progress_says_what_is_not_finished(grid_folder, tmp_path):
  folder = tmp_path / "grid"
  shutil.copytree(grid_folder / "cells", folder / "cells")
  (folder / "cells" / "step_by_step-s1" / "rows.json").unlink()
  found = material.read([folder])
  [results] = found.grids.values()
  assert len(results.rows) == 3
  [said] = found.missing
  assert "1 of 4 students are not finished (step_by_step-s1)" in said


def test_a_repetition_with_other_xla_settings_is_no_seed(grid_folder, tmp_path):
  folder = tmp_path / "grid"
  shutil.copytree(grid_folder / "cells", folder / "cells")
  cells = folder / "cells"
  shutil.copytree(cells / "finetune-s0", cells / "finetune-s0-xla")
  found = material.read([folder])
  [results] = found.grids.values()
  assert len(results.rows) == len(found.evaluations) == 4
  assert not found.missing


def test_a_file_of_results_alone_has_no_examples(grid_folder, tmp_path):
  shutil.copy(grid_folder / "results.json", tmp_path)
  found = material.read([tmp_path])
  assert found.missing == [
    f"{tmp_path} has no cells, so that no example is shown."
  ]


def test_a_damaged_cell_names_its_file(tmp_path):
  path = tmp_path / "cells" / "a-s0" / "rows.json"
  path.parent.mkdir(parents=True)
  path.write_text('[{"task": ')
  with pytest.raises(errors.UserError, match="rows.json cannot be read"):
    material.read([tmp_path])


def test_a_run_in_progress_shows_how_far_it_is(tmp_path):
  (tmp_path / "config.gin").write_text("TRAIN_STEPS = 40\n")
  log = tmp_path / "train" / "metrics.jsonl"
  log.parent.mkdir()
  # The last line is being written.
  log.write_text('{"step": 20, "loss": 1.5}\n{"step": 30, "lo')
  found = material.read([tmp_path])
  [run] = found.runs
  assert (run.train, run.steps) == ([{"step": 20, "loss": 1.5}], 40)
  assert "step 20 of 40 is logged" in found.missing[0]
  assert "no predictions yet" in found.missing[1]


def test_a_finished_run_has_its_newest_predictions(tmp_path):
  (tmp_path / "config.gin").write_text("TRAIN_STEPS = 40\n")
  folder = tmp_path / "inference_eval"
  folder.mkdir()
  for step, said in ((20, "old"), (40, "new")):
    line = {"id": "a", "inputs": "", "target": "t", "prediction": said}
    (folder / f"toy_label-{step:06d}.jsonl").write_text(json.dumps(line) + "\n")
  (folder / "toy_label-right.jsonl").write_text(
    '{"id": "a", "right": 0, "answer": "new"}\n'
  )
  [one] = material.read([tmp_path]).evaluations
  assert (one.split, one.rows[0]["prediction"]) == ("validation", "new")
  assert one.judged == [{"id": "a", "right": 0, "answer": "new"}]


def test_an_empty_folder_is_no_error(tmp_path):
  found = material.read([tmp_path])
  assert "is empty; a report needs" in found.missing[0]


def test_what_does_not_exist_or_is_damaged_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match="does not exist"):
    material.read([tmp_path / "nothing"])
  damaged = tmp_path / "train" / "metrics.jsonl"
  damaged.parent.mkdir()
  damaged.write_text('{"step"\n{"step": 1}\n')
  with pytest.raises(errors.UserError, match="line 1 is not JSON"):
    material.read([tmp_path])
