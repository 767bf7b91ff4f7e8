"""The command, as a user runs it on files of their own and of others."""

import json

import pytest

from distill import errors
from distill.commands import cache_import
from distill.data.cache import files, manifest


def run(*argv):
  return errors.run_command(cache_import.main, argv)


@pytest.fixture
def rows(tmp_path):
  """A file of two answers to one question, and the flags to read it."""
  path = tmp_path / "rows.jsonl"
  row = {"q": 'Join the last letters of "ab cd".', "gold": "bd"}
  texts = ["b, d: bd. So the answer is bd.", "So the answer is ac."]
  lines = [json.dumps({**row, "cot": text}) for text in texts]
  path.write_text("\n".join(lines))
  return path, [
    "--format=jsonl",
    "--task=last_letters",
    f"--input_dir={path}",
    f"--output_dir={tmp_path / 'cache'}",
    "--field=input=q",
    "--field=label=gold",
    "--field=completion=cot",
    "--teacher=mine",
  ]


def test_files_become_a_cache_that_training_can_read(rows, tmp_path, capsys):
  path, flags = rows
  assert run(*flags) == 0
  said = capsys.readouterr().out
  assert "examples    1 in 1 shards" in said
  assert "agreement   1 of 2 (50.0%)" in said
  directory = str(tmp_path / "cache")
  builder = files.open_builder(directory, "last_letters", "train")
  assert builder.info.splits["train"].num_examples == 1
  entry = manifest.read(directory).splits["train"]
  assert entry.teacher == "mine" and str(path) in entry.source
  before = (tmp_path / "cache" / "manifest.json").read_bytes()
  assert run(*flags) == 0
  assert (tmp_path / "cache" / "manifest.json").read_bytes() == before
  # The mend of a damaged shard is this command, not one that asks a teacher.
  shard = tmp_path / "cache" / entry.shards[0].file
  shard.write_bytes(shard.read_bytes() + b"x")
  with pytest.raises(errors.UserError) as error:
    files.verify(directory, "last_letters", "train")
  assert "distill cache import --task=last_letters" in error.value.remedy
  assert run(*flags, "--overwrite") == 0
  files.verify(directory, "last_letters", "train")


def test_changed_files_do_not_replace_a_cache_unasked(rows, capsys):
  path, flags = rows
  assert run(*flags) == 0
  path.write_text(path.read_text() + "\n")
  assert run(*flags) == errors.USER_ERROR_EXIT
  assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
  "change, named",
  [
    (["--field=gold=label"], "OURS=THEIRS"),
    (["--parser=dss"], "dss_cqa"),
    (["--task=last_leters"], "last_letters"),
    (["--format=dss"], "rationales of the format 'dss'"),
    (["--field=input=question"], "'question'"),
  ],
)
def test_wrong_flags_are_named(rows, capsys, change, named):
  assert run(*rows[1], *change) == errors.USER_ERROR_EXIT
  assert named in capsys.readouterr().err


def test_rows_need_a_field_map(rows, capsys):
  flags = [flag for flag in rows[1] if "completion" not in flag]
  assert run(*flags) == errors.USER_ERROR_EXIT
  assert "--field=completion=" in capsys.readouterr().err
