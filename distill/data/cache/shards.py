"""Shards of a cache: byte-identical, complete or not there, known to TFDS."""

import itertools
import os
from collections.abc import Iterable, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.cache import manifest, records, verification

_EXAMPLES_A_SHARD = 1000
_MOST_SHARDS = 128
_VERSION = "1.0.0"


def default_num_shards(examples: int) -> int:
  """Returns the number of shards, a function of the number of examples."""
  return max(1, min(_MOST_SHARDS, -(-examples // _EXAMPLES_A_SHARD)))


def stage(
  directory: str,
  family: str,
  split: str,
  content: Iterable[records.Record],
  num_shards: int,
  count: int | None = None,
) -> tuple[tuple[manifest.Shard, ...], int]:
  """Writes a split under temporary names, in `num_shards` runs of its records.

  Args:
    directory: The cache's folder.
    family: The dataset's name, the first part of the files'.
    split: Its split, the second part.
    content: The records, read one by one.
    num_shards: How many files.
    count: How many records there are, where `content` cannot say.

  Returns:
    The shards, by the names that `publish` gives them, and the size in bytes
    of all serialised records.
  """
  schema = records.features()
  if count is None:
    content = list(content)
    count = len(content)
  rest = iter(content)
  shards = []
  total = 0
  for index in range(num_shards):
    size = (index + 1) * count // num_shards - index * count // num_shards
    some = itertools.islice(rest, size)
    rows = [records.serialise(row, schema) for row in some]
    total += sum(map(len, rows))
    name = f"{family}-{split}.tfrecord-{index:05d}-of-{num_shards:05d}"
    shards.append(_write(directory, name, rows))
  if next(rest, None) is not None:
    raise ValueError(f"more than the {count} records that were said")
  return tuple(shards), total


def _write(directory: str, name: str, rows: list[bytes]) -> manifest.Shard:
  path = os.path.join(directory, manifest.INCOMPLETE + name)
  with tf.io.TFRecordWriter(path) as writer:
    for row in rows:
      writer.write(row)
  size = tf.io.gfile.stat(path).length
  return manifest.Shard(name, len(rows), size, verification.sha256(path))


def publish(
  directory: str, family: str, split: str, shards: Sequence[manifest.Shard]
) -> None:
  """Gives staged shards their names and removes the split's other files."""
  for shard in shards:
    path = os.path.join(directory, shard.file)
    draft = os.path.join(directory, manifest.INCOMPLETE + shard.file)
    tf.io.gfile.rename(draft, path, overwrite=True)
  kept = {shard.file for shard in shards}
  for name in verification.shard_files(directory, family, split):
    if name not in kept:
      tf.io.gfile.remove(os.path.join(directory, name))


def write_tfds_metadata(directory: str, content: manifest.Manifest) -> None:
  """Writes TFDS's `dataset_info.json` and `features.json` for all splits.

  They are made in a folder of their own and renamed into place, so that they
  are never half-written for a reader of another split. TFDS wants to see the
  names of the shards there; it does not look into them.
  """
  draft = os.path.join(directory, manifest.INCOMPLETE + "metadata")
  if tf.io.gfile.exists(draft):
    tf.io.gfile.rmtree(draft)
  tf.io.gfile.makedirs(draft)
  infos = []
  for split, entry in content.splits.items():
    for shard in entry.shards:
      with tf.io.gfile.GFile(os.path.join(draft, shard.file), "w") as file:
        file.write("")
    infos.append(_split_info(draft, content.family, split, entry))
  tfds.folder_dataset.write_metadata(
    data_dir=draft,
    features=records.features(),
    split_infos=infos,
    version=_VERSION,
    check_data=False,
    description=f"Teacher's answers to '{content.family}': docs/cache.md",
  )
  for name in sorted(tf.io.gfile.listdir(draft)):
    if name.endswith(".json"):
      source = os.path.join(draft, name)
      tf.io.gfile.rename(source, os.path.join(directory, name), overwrite=True)
  tf.io.gfile.rmtree(draft)


def _split_info(
  directory: str, family: str, split: str, entry: manifest.SplitEntry
) -> tfds.core.SplitInfo:
  template = tfds.core.ShardedFileTemplate(
    data_dir=directory,
    dataset_name=family,
    split=split,
    filetype_suffix="tfrecord",
  )
  return tfds.core.SplitInfo(
    name=split,
    shard_lengths=[shard.examples for shard in entry.shards],
    num_bytes=entry.record_bytes,
    filename_template=template,
  )
