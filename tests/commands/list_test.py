"""What `distill list` prints of datasets, methods and experiments."""

import pytest
import tensorflow_datasets as tfds

from distill import cli, errors, gin_run
from distill.commands import list as list_command
from distill.data.methods import METHODS


def listed(capsys, *argv):
  list_command.main(argv)
  return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_datasets_say_what_is_here_and_where_the_rest_is_from(
  capsys, tmp_path, monkeypatch
):
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "no"))
  (tmp_path / "svamp").mkdir()
  (tmp_path / "svamp/SVAMP.json").touch()
  rows = {row[0]: " ".join(row[1:]) for row in listed(capsys, "datasets")[1:-1]}
  assert rows["last_letters"] == "here made, not read: LastLetters"
  assert rows["svamp"].startswith("here svamp/SVAMP.json of github.com/arkil")
  quarel = rows["quarel"]
  assert quarel.startswith("not here: train, validation, test quarel/quarel-v1")
  assert "-{train|dev|test}.jsonl of allenai.org" in quarel
  assert "TFDS anli/r1" in rows["anli_r1"]


def test_methods_and_experiments_are_all_there(capsys):
  rows = listed(capsys, "methods", "experiments")
  middle = rows.index(["experiments"])
  assert [row[0] for row in rows[1 : middle - 1]] == list(METHODS)
  assert rows[1][1] == "labels" and rows[2][1:4] == ["a", "teacher's", "cache"]
  assert ["zero_shot", "a", "checkpoint"] in [row[:3] for row in rows]
  found = {row[0]: row[1:] for row in rows[middle + 1 : -1]}
  folder = gin_run.GIN_CONFIGS / "experiments"
  assert found.keys() == {path.name for path in folder.glob("*.gin")}
  name = "cqa_t5_1_1_base_step_by_step.gin"
  said = "the method of Hsieh et al. 2023 in T5X's manner"
  assert found[name] == ["cqa_step_by_step", "t5_1_1_base", *said.split()]


def test_a_list_that_is_not_there_names_those_that_are():
  with pytest.raises(errors.UserError, match="datasets, methods, experiments"):
    cli.dispatch(["list", "models"])
