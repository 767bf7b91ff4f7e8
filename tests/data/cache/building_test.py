"""The cache: readable by TFDS, identical in every run, never overwritten."""

import hashlib
import json
import pathlib

import pytest
import seqio
import tensorflow_datasets as tfds

from distill.data.cache import files, records
from distill.data.procedural import LastLetters
from distill.errors import UserError


def hashes(directory):
  return {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
    for path in pathlib.Path(directory).iterdir()
  }


def read(directory, split="train"):
  builder = tfds.builder_from_directory(directory)
  rows = tfds.as_numpy(builder.as_dataset(split=split))
  return [records.Record.from_dict(row) for row in rows]


def manifest_of(directory):
  return json.loads((directory / "manifest.json").read_text())


def test_records_hold_what_the_teacher_said(toy, tmp_path):
  toy.cache(tmp_path)
  right, wrong, lost = read(tmp_path)
  assert right == records.Record(
    id="train0",
    input="a b",
    label="b",
    rationales=("The last is b.",),
    teacher_labels=("b",),
    agrees=(1,),
    finish_reasons=("stop",),
    teachers=("list",),
    hinted=(0,),
    verdicts=(records.NOT_JUDGED,),
    completions=("The last is b. So the answer is b.",),
  )
  assert (wrong.teacher_labels, wrong.agrees) == (("c",), (0,))
  assert (lost.rationales, lost.teacher_labels) == (("",), ("",))
  assert lost.agrees == (0,)


def test_seqio_reads_the_cache_as_any_tfds_dataset(toy, tmp_path):
  toy.cache(tmp_path / "toy")
  source = seqio.TfdsDataSource(
    tfds_data_dir=str(tmp_path / "toy"), splits=["train"], read_only=True
  )
  assert source.num_input_examples("train") == 3
  rows = tfds.as_numpy(source.get_dataset("train", shuffle=False))
  assert [row["input"] for row in rows] == [b"a b", b"c d", b"e f"]


def test_unlabeled_rows_and_logprobs(toy, tmp_path):
  dataset = toy.Dataset(rows=(("a b", ""),))
  teacher = toy.Teacher({"a b": "Hm. So the answer is b."}, (-0.5, -0.25))
  entry, _ = toy.cache(tmp_path, dataset, teacher=teacher)
  [record] = read(tmp_path)
  assert (record.label, record.agrees) == ("", (records.NO_GOLD,))
  assert record.logprobs == (-0.75,)
  assert (entry.labeled, entry.parsed, entry.agreeing) == (0, 1, 0)


def test_the_manifest_counts(toy, tmp_path):
  toy.cache(tmp_path)
  entry = manifest_of(tmp_path)["splits"]["train"]
  counts = ("examples", "labeled", "answers", "parsed", "agreeing")
  assert [entry[key] for key in counts] == [3, 3, 3, 2, 1]
  assert (entry["prompt_tokens"], entry["completion_tokens"]) == (15, 21)
  assert (entry["teacher"], entry["prompt"]) == ("list", "plain")
  [shard] = entry["shards"]
  content = (tmp_path / shard["file"]).read_bytes()
  assert shard["file"] == "toy-train.tfrecord-00000-of-00001"
  assert shard["bytes"] == len(content)
  assert shard["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_same_input_gives_the_same_bytes(toy, tmp_path):
  toy.cache(tmp_path / "one", num_shards=2)
  toy.cache(tmp_path / "two", num_shards=2)
  assert len(hashes(tmp_path / "one")) == 5
  assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_another_split_does_not_touch_the_first(toy, tmp_path):
  toy.cache(tmp_path)
  before = hashes(tmp_path)
  toy.cache(tmp_path, split="validation")
  after = hashes(tmp_path)
  changed = {name for name in before if before[name] != after[name]}
  assert changed == {"dataset_info.json", "manifest.json"}
  assert len(read(tmp_path, "train")) == len(read(tmp_path, "validation")) == 3


def test_shards_are_runs_of_the_records(toy, tmp_path):
  rows = tuple((f"{i} b", "b") for i in range(7))
  teacher = toy.Teacher({text: "So the answer is b." for text, _ in rows})
  entry, _ = toy.cache(
    tmp_path, toy.Dataset(rows=rows), teacher=teacher, num_shards=3
  )
  assert [shard.examples for shard in entry.shards] == [2, 2, 3]
  assert [record.input for record in read(tmp_path)] == [t for t, _ in rows]


@pytest.mark.parametrize(
  "examples, expected",
  [(0, 1), (1, 1), (1000, 1), (1001, 2), (10**6, 128)],
)
def test_the_number_of_shards_follows_the_examples(examples, expected):
  assert files.default_num_shards(examples) == expected


def test_the_same_question_is_not_paid_for_twice(toy, tmp_path):
  first, written = toy.cache(tmp_path)
  before = hashes(tmp_path)
  again, rewritten = toy.cache(tmp_path, teacher=toy.SilentTeacher())
  assert written and not rewritten and first == again
  assert hashes(tmp_path) == before


@pytest.mark.parametrize(
  "change, named",
  [
    ("teacher", "teacher other"),
    ("dataset", "data_sha256"),
    ("num_shards", "num_shards 2"),
  ],
)
def test_a_split_of_another_origin_is_kept(toy, tmp_path, change, named):
  toy.cache(tmp_path)
  other = {
    "teacher": toy.Teacher({}, name="other"),
    "dataset": toy.Dataset(rows=(("x y", "y"),)),
    "num_shards": 2,
  }
  before = hashes(tmp_path)
  with pytest.raises(UserError, match=named) as error:
    toy.cache(tmp_path, **{change: other[change]})
  assert "--overwrite" in error.value.remedy
  assert hashes(tmp_path) == before


def test_overwrite_leaves_nothing_of_the_old_split(toy, tmp_path):
  toy.cache(tmp_path, num_shards=3)
  toy.cache(tmp_path, split="test")
  teacher = toy.Teacher({"x y": "So the answer is y."}, name="other")
  dataset = toy.Dataset(rows=(("x y", "y"),))
  toy.cache(tmp_path, dataset, teacher=teacher, overwrite=True)
  assert [record.input for record in read(tmp_path)] == ["x y"]
  assert sorted(hashes(tmp_path)) == [
    "dataset_info.json",
    "features.json",
    "manifest.json",
    "toy-test.tfrecord-00000-of-00001",
    "toy-train.tfrecord-00000-of-00001",
  ]


def test_another_dataset_in_the_folder_is_refused(toy, tmp_path):
  (tmp_path / "toy-train.tfrecord-00000-of-00001").write_bytes(b"mine")
  before = hashes(tmp_path)
  with pytest.raises(UserError, match="not a cache of ours"):
    toy.cache(tmp_path)
  assert hashes(tmp_path) == before


def test_another_family_in_the_folder_is_refused(toy, tmp_path):
  toy.cache(tmp_path)
  with pytest.raises(UserError, match="another dataset family") as error:
    toy.cache(tmp_path, LastLetters(sizes={"train": 1}))
  assert (error.value.expected, error.value.found) == ("last_letters", "toy")


def test_a_place_that_cannot_be_written_is_said_before_asking(toy, tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="cannot be written") as error:
    toy.cache(tmp_path / "file" / "toy", teacher=toy.SilentTeacher())
  assert str(tmp_path / "file") in str(error.value)
