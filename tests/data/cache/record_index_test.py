"""An index finds each record in its file, by its id and its input."""

import random
import shutil
import tempfile

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from distill.data.cache import files, record_index, records


def record(number):
  return records.Record(
    *(f"x{number // 3}/{number}", f"q{number}", "b", ("r" * number, "")),
    *(("b", "c"), (1, 0), ("stop",) * 2, ("t",) * 2, (0, 0), (-1, -1)),
  )


@pytest.fixture
def cache(tmp_path):
  """Returns the folder of 400 records in 19 files: TFDS reads 16 in turn."""
  content = [record(number) for number in range(400)]
  options = {"command": "c", "source": "", "flags": "", "overwrite": True}
  folder = str(tmp_path / "toy")
  files.write_records(folder, "toy", "train", content, num_shards=19, **options)
  return folder


def test_every_record_is_found_in_its_file(cache):
  index = record_index.of_cache(cache, "toy", "train")
  numbers = list(range(400))
  random.Random(0).shuffle(numbers)
  for number in numbers:
    assert records.deserialise(index.read(number)) == record(number)
  assert list(map(records.deserialise, index.contents())) == [
    record(number) for number in range(400)
  ]
  assert index.answers.tolist() == [2] * 400
  for column, texts in (
    (index.ids, [f"x{n // 3}/{n}" for n in range(400)]),
    (index.stems, [f"x{n // 3}" for n in range(400)]),
    (index.inputs, [f"q{n}" for n in range(400)]),
  ):
    assert (column == record_index.digests(texts)).all()


def test_the_order_is_that_of_tfds(cache):
  index = record_index.of_cache(cache, "toy", "train")
  builder = files.open_builder(cache, "toy", "train")
  rows = builder.as_dataset(split="train", shuffle_files=False)
  found = [row["input"].decode() for row in rows.as_numpy_iterator()]
  assert found == [f"q{number}" for number in index.order]
  assert found[16] != "q16"


def test_an_index_of_an_unchanged_cache_is_kept_and_has_no_texts(cache):
  index = record_index.of_cache(cache, "toy", "train")
  assert record_index.of_cache(cache, "toy", "train") is index
  arrays = [v for v in vars(index).values() if isinstance(v, np.ndarray)]
  assert sum(array.nbytes for array in arrays) == 400 * 80


def test_records_are_those_of_the_index_after_the_cache_is_removed(cache):
  index = record_index.of_cache(cache, "toy", "train")
  shutil.rmtree(cache)
  assert records.deserialise(index.read(399)) == record(399)


def test_a_file_of_a_bucket_is_copied_once(tmp_path, monkeypatch):
  monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
  remote = "ram://bucket/file.tfrecord"
  with tf.io.gfile.GFile(remote, "wb") as file:
    file.write(b"records")
  copy = record_index.local_copy(remote, "5a")
  tf.io.gfile.remove(remote)
  assert record_index.local_copy(remote, "5a") == copy
  [made] = (tmp_path / "distill_cache").iterdir()
  assert str(made) == copy and made.read_bytes() == b"records"
  assert record_index.local_copy("/on/this/machine", "5a") == "/on/this/machine"


@given(st.lists(st.text("ab", max_size=3)), st.lists(st.text("ab", max_size=3)))
def test_each_key_is_found_where_it_is_first(keys, among):
  found = record_index.find(
    record_index.digests(keys), record_index.digests(among)
  )
  assert found.tolist() == [
    among.index(key) if key in among else -1 for key in keys
  ]
