"""Where the records of a cached split are in its files: numbers, no texts.

What is selected from a cache, or joined with a dataset, is found by ids and
inputs. An index has their digests and the place of each record, 80 bytes a
record. The texts stay in the files and are read as they are used. Files of a
bucket are copied to this machine first: a request for each record would be
slower than a training step.
"""

import dataclasses
import functools
import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from distill.data.cache import files, manifest, records

# A TFRecord file has these bytes in front of each record, and around it.
_BEFORE, _AROUND = 12, 16
_READ_AT_ONCE = 256
# How TFDS reads several files: blocks of records, of several files in turn.
_FILES_IN_TURN, _BLOCK = 16, 16
_DIGEST = "S16"


@dataclasses.dataclass(frozen=True)
class RecordIndex:
  """The records of a split; arrays are [records], in the order of the files.

  Attributes:
    paths: The files, on this machine.
    opened: The same, open. A cache that is overwritten or removed does not
      change what is read.
    files: The number of each record's file.
    offsets: Where its bytes begin in the file.
    sizes: How many they are.
    answers: How many answers it has.
    ids: The digest of its id.
    stems: The digest of its id up to the last '/'.
    inputs: The digest of its input.
    order: The numbers of the records in the order in which TFDS reads them.
  """

  paths: tuple[str, ...]
  opened: tuple[io.FileIO, ...]
  files: np.ndarray
  offsets: np.ndarray
  sizes: np.ndarray
  answers: np.ndarray
  ids: np.ndarray
  stems: np.ndarray
  inputs: np.ndarray
  order: np.ndarray

  def read(self, number: int) -> bytes:
    """Returns a record's bytes, for `records.deserialise`."""
    file = self.opened[self.files[number]].fileno()
    return os.pread(file, int(self.sizes[number]), int(self.offsets[number]))

  def contents(self) -> Iterator[bytes]:
    """Yields the bytes of all records, file after file."""
    for path in self.paths:
      yield from _contents(path)


def of_cache(directory: str, family: str, split: str) -> RecordIndex:
  """Returns the index of a cached split; that of an unchanged one is kept.

  Raises:
    UserError: The cache is absent or damaged.
  """
  entry = files.verify(directory, family, split)
  return _of_shards(directory, family, split, entry.shards)


# A mixture of two families reads two.
@functools.lru_cache(maxsize=2)
def _of_shards(
  directory: str, family: str, split: str, shards: tuple[manifest.Shard, ...]
) -> RecordIndex:
  files.open_builder(directory, family, split)  # Checks TFDS's metadata too.
  paths = tuple(
    local_copy(os.path.join(directory, shard.file), shard.sha256)
    for shard in shards
  )
  counts = [shard.examples for shard in shards]
  columns = {name: np.empty(sum(counts), kind) for name, kind in _KINDS.items()}
  end = 0
  for number, (path, count) in enumerate(zip(paths, counts, strict=True)):
    begin, end = end, end + count
    columns["files"][begin:end] = number
    for name, values in _of_file(path).items():
      columns[name][begin:end] = values
  opened = tuple(map(io.FileIO, paths))
  return RecordIndex(paths, opened, **columns, order=_order_of_tfds(counts))


_KINDS = {
  **{"files": np.int32, "offsets": np.int64, "sizes": np.int64},
  **{"answers": np.int32, "ids": _DIGEST, "stems": _DIGEST, "inputs": _DIGEST},
}


def local_copy(path: str, sha256: str) -> str:
  """Returns the path of a file on this machine, of a copy if it is remote.

  A copy is made once for all processes. It stays in the folder of temporary
  files.
  """
  if "://" not in path:
    return path
  folder = os.path.join(tempfile.gettempdir(), "distill_cache")
  copy = os.path.join(folder, f"{sha256}.tfrecord")
  if not os.path.exists(copy):
    os.makedirs(folder, exist_ok=True)
    # A name of its own, since another process may copy the same file now.
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as partial:
      tf.io.gfile.copy(path, partial.name, overwrite=True)
    os.replace(partial.name, copy)
  return copy


def _of_file(path: str) -> dict[str, np.ndarray]:
  """Returns the columns of the records of one file, but for its number."""
  sizes, rows = [], []
  for content in _contents(path):
    sizes.append(len(content))
    rows.append(records.heading(content))
  lengths = np.array(sizes, np.int64)
  return {
    "offsets": np.cumsum(lengths + _AROUND) - lengths - (_AROUND - _BEFORE),
    "sizes": lengths,
    "answers": np.array([count for _, _, count in rows], np.int32),
    "ids": digests(name for name, _, _ in rows),
    "stems": digests(name.rpartition("/")[0] for name, _, _ in rows),
    "inputs": digests(text for _, text, _ in rows),
  }


def _contents(path: str) -> Iterator[bytes]:
  blocks = tf.data.TFRecordDataset(path).batch(_READ_AT_ONCE)
  for block in blocks.as_numpy_iterator():
    yield from block.tolist()


def _order_of_tfds(counts: list[int]) -> np.ndarray:
  """Returns the order in which TFDS reads files with these record counts."""
  sizes = np.array(counts, np.int64)
  ranges = np.cumsum(sizes) - sizes, np.cumsum(sizes)
  numbers = tf.data.Dataset.from_tensor_slices(ranges).interleave(
    tf.data.Dataset.range, cycle_length=_FILES_IN_TURN, block_length=_BLOCK
  )
  blocks = numbers.batch(int(sizes.sum()) or 1).as_numpy_iterator()
  return np.concatenate([np.zeros(0, np.int64), *blocks])


def digests(texts: Iterable[str]) -> np.ndarray:
  """Returns [texts] digests, 16 bytes of each text's SHA-256."""
  each = (hashlib.sha256(text.encode()).digest()[:16] for text in texts)
  return np.fromiter(each, _DIGEST)


def find(keys: np.ndarray, among: np.ndarray) -> np.ndarray:
  """Returns where each digest is first among others, -1 where it is not.

  Args:
    keys: [keys] digests.
    among: [others] digests.
  """
  if not among.size:
    return np.full(keys.shape, -1)
  order = np.argsort(among, kind="stable")
  places = np.searchsorted(among, keys, sorter=order)
  found = order[np.minimum(places, among.size - 1)]
  return np.where(among[found] == keys, found, -1)
