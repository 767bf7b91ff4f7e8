"""The command: a cache of its own that names its source, or JSON lines."""

import dataclasses
import json

import pytest
import seqio
import tensorflow_datasets as tfds

from distill import errors
from distill.commands import cache_filter
from distill.data.cache import files, manifest, records


def run(cache, *argv):
  argv = ("--task=last_letters", f"--input_dir={cache}", *argv)
  return errors.run_command(cache_filter.main, argv)


def test_training_reads_what_is_left(cache, tmp_path, capsys, monkeypatch):
  out = tmp_path / "last_letters"
  assert run(cache, "--agrees", "--complete", f"--output_dir={out}") == 0
  before = manifest.read(str(cache)).splits["train"]
  entry = manifest.read(str(out)).splits["train"]
  assert entry.examples == entry.agreeing == before.agreeing < 500
  assert f"agrees      took {500 - entry.examples}" in capsys.readouterr().out
  assert (entry.teacher, entry.prompt) == (before.teacher, before.prompt)
  assert str(cache) in entry.source and before.shards[0].sha256 in entry.source
  assert entry.flags == f"--input_dir={cache} --agrees --complete"
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  source = seqio.TaskRegistry.get("last_letters_rationale").source
  rows = list(tfds.as_numpy(source.get_dataset("train", shuffle=False)))
  assert len(rows) == entry.examples
  assert all(row["agrees"].tolist() == [1] for row in rows)


def test_the_same_again_changes_nothing_and_another_filter_is_refused(
  cache, tmp_path, capsys
):
  flags = (f"--output_dir={tmp_path / 'a'}", "--pick=1")
  assert run(cache, *flags) == 0
  stamp = (tmp_path / "a" / "manifest.json").stat().st_mtime_ns
  assert run(cache, *flags) == 0
  assert (tmp_path / "a" / "manifest.json").stat().st_mtime_ns == stamp
  assert run(cache, *flags, "--agrees") == errors.USER_ERROR_EXIT
  assert "--overwrite" in capsys.readouterr().err
  assert run(cache, *flags, "--agrees", "--overwrite") == 0
  files.verify(str(tmp_path / "a"), "last_letters", "train")


def test_records_go_to_json_lines(cache, tmp_path):
  path = tmp_path / "out.jsonl"
  assert run(cache, f"--output_jsonl={path}") == 0
  rows = [json.loads(line) for line in path.read_text().split("\n") if line]
  assert len(rows) == 500
  assert rows[0]["rationales"][0] in rows[0]["completions"][0]


def test_records_go_to_parquet_as_datasets_reads_it(cache, tmp_path):
  parquet = pytest.importorskip("pyarrow.parquet")
  path = tmp_path / "out.parquet"
  assert run(cache, "--agrees", f"--output_parquet={path}") == 0
  rows = parquet.read_table(path).to_pylist()
  columns = [field.name for field in dataclasses.fields(records.Record)]
  assert list(rows[0]) == columns
  read = [
    row.to_dict() for row in files.read(str(cache), "last_letters", "train")
  ]
  right = json.loads(json.dumps([r for r in read if r["agrees"] == (1,)]))
  assert rows == right
  datasets = pytest.importorskip("datasets")
  read_again = datasets.Dataset.from_parquet(
    str(path), cache_dir=str(tmp_path / "hf")
  )
  assert read_again[0]["rationales"] == rows[0]["rationales"]


def test_a_teachers_name_may_have_commas_in_brackets(cache, tmp_path, capsys):
  path = tmp_path / "out.jsonl"
  [name] = manifest.read(str(cache)).splits["train"].teacher.split(", ")
  assert run(cache, f"--output_jsonl={path}", "--teachers=a(b,c),d") != 0
  assert "teachers took 500" in capsys.readouterr().err
  assert run(cache, f"--output_jsonl={path}", f"--teachers=a(b,c),{name}") == 0


@pytest.mark.parametrize(
  "flags, named",
  [
    ((), "--output_jsonl"),
    (("--output_dir=a", "--output_jsonl=b"), "--output_jsonl"),
    (("--output_jsonl=b", "--min_words=1000"), "length took 500"),
    (("--output_jsonl=b", "--split=test"), "cache ask"),
    (("--output_jsonl=/no/where", "--pick=1"), "/no/where"),
  ],
)
def test_wrong_flags_are_named(cache, capsys, flags, named):
  assert run(cache, *flags) == errors.USER_ERROR_EXIT
  assert named in capsys.readouterr().err
