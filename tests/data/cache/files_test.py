"""A damaged or absent cache: one error that names the fix, before reading."""

import json

import pytest
import seqio

from distill.data import sources
from distill.errors import UserError

SHARD = "toy-train.tfrecord-00001-of-00002"


@pytest.fixture
def cached(toy, tmp_path, monkeypatch):
  """Returns the folder of a cache that tasks read."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  toy.cache(tmp_path / "toy", num_shards=2, flags="--teacher=list")
  return tmp_path / "toy"


def read(toy):
  task = seqio.Task(
    "read",
    source=sources.TeacherSource(toy.Dataset()),
    output_features={},
    preprocessors=[],
  )
  return list(task.get_dataset(split="train", shuffle=False))


def remove(folder):
  (folder / SHARD).unlink()
  return "no such file"


def truncate(folder):
  content = (folder / SHARD).read_bytes()
  (folder / SHARD).write_bytes(content[:-3])
  return f"{len(content) - 3} bytes"


def flip_a_byte(folder):
  content = bytearray((folder / SHARD).read_bytes())
  content[20] ^= 1
  (folder / SHARD).write_bytes(content)
  return "sha256"


@pytest.mark.parametrize("damage", [remove, truncate, flip_a_byte])
def test_a_damaged_shard_is_named_and_can_be_rebuilt(toy, cached, damage):
  size = (cached / SHARD).stat().st_size
  found = damage(cached)
  with pytest.raises(UserError) as error:
    read(toy)
  assert str(cached / SHARD) in error.value.what
  assert f"{size} bytes" in error.value.expected
  assert found in error.value.found
  assert error.value.remedy == (
    "run `distill cache ask --task=toy --split=train"
    f" --output_dir={cached} --teacher=list --overwrite`"
  )
  toy.cache(cached, num_shards=2, overwrite=True)
  assert len(read(toy)) == 3


def test_a_damaged_cache_is_not_taken_for_complete(toy, cached):
  truncate(cached)
  with pytest.raises(UserError, match="is not what manifest.json says"):
    toy.cache(cached, num_shards=2, teacher=toy.SilentTeacher())


@pytest.mark.parametrize(
  "damage",
  [
    lambda text: text[: len(text) // 2],
    lambda text: text.replace('"schema_version": 2', '"schema_version": 99'),
    lambda text: text.replace('"bytes"', '"octets"'),
    lambda text: "[]",
  ],
)
def test_a_manifest_that_cannot_be_read(toy, cached, damage):
  path = cached / "manifest.json"
  path.write_text(damage(path.read_text()))
  with pytest.raises(UserError, match="manifest.json is not a manifest"):
    read(toy)


def test_a_manifest_of_other_shards(toy, cached, tmp_path):
  toy.cache(tmp_path / "other" / "toy", num_shards=1)
  other = tmp_path / "other" / "toy" / "manifest.json"
  (cached / "manifest.json").write_text(other.read_text())
  with pytest.raises(UserError, match="toy-train.tfrecord-00000-of-00001"):
    read(toy)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", [None, "{"])
def test_damaged_metadata_is_named(toy, cached, name, content):
  if content is None:
    (cached / name).unlink()
  else:
    (cached / name).write_text(content)
  with pytest.raises(UserError) as error:
    read(toy)
  assert str(cached) in error.value.what
  assert "--overwrite" in error.value.remedy


def test_metadata_of_other_shards(toy, cached):
  path = cached / "dataset_info.json"
  info = json.loads(path.read_text())
  info["splits"][0]["shardLengths"] = ["1"]
  path.write_text(json.dumps(info))
  with pytest.raises(UserError, match="dataset_info.json"):
    read(toy)


def test_no_cache_names_folder_variable_and_command(toy, tmp_path, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path / "none"))
  with pytest.raises(UserError) as error:
    read(toy)
  assert str(tmp_path / "none" / "toy") in error.value.what
  assert error.value.found == "no such directory"
  assert "distill cache ask --task=toy" in error.value.remedy
  assert "DISTILL_DATA_DIR" in error.value.remedy
  monkeypatch.delenv("DISTILL_DATA_DIR")
  with pytest.raises(UserError, match="DISTILL_DATA_DIR is not set"):
    read(toy)


def test_shards_without_an_entry_are_unfinished(toy, cached):
  path = cached / "manifest.json"
  path.write_text(json.dumps({**json.loads(path.read_text()), "splits": {}}))
  with pytest.raises(UserError) as error:
    read(toy)
  assert error.value.found == "2 shards of an unfinished run"
  toy.cache(cached, num_shards=2)
  assert len(read(toy)) == 3
