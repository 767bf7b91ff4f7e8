"""Checks a cache against its manifest before anything is read from it."""

import hashlib
import os
from collections.abc import Iterable

import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.cache import manifest, records
from distill.errors import UserError

# Shards (path, SHA-256, time of change) whose contents this process has read.
_INTACT: set[tuple[str, str, int]] = set()


def find_entry(directory: str, family: str, split: str) -> manifest.SplitEntry:
  """Returns a finished split's entry in the manifest.

  Raises:
    UserError: There is none, or the manifest cannot be read.
  """
  found = manifest.read(directory)
  if found is not None and split in found.splits:
    return found.splits[split]
  raise UserError(
    f"There is no cached '{split}' split of '{family}' in {directory}.",
    expected=f"a {manifest.FILE_NAME} with this split, which a finished"
    " `distill cache_rationales` leaves",
    found=_what_is_there(directory, family, split),
    remedy=f"run `{manifest.build_command(directory, family, split)}`, or set"
    " DISTILL_DATA_DIR to the folder of your caches (now"
    f" '{os.environ.get('DISTILL_DATA_DIR', '')}')",
  )


def verify(directory: str, family: str, split: str) -> manifest.SplitEntry:
  """Returns a split's entry after checking its files against it.

  Existence and sizes are checked at every call, contents once a process.

  Raises:
    UserError: The cache is absent, unfinished or damaged.
  """
  entry = find_entry(directory, family, split)
  for shard in entry.shards:
    _verify_shard(directory, shard, _rebuild(directory, family, split, entry))
  return entry


def _rebuild(
  directory: str, family: str, split: str, entry: manifest.SplitEntry
) -> str:
  command = manifest.build_command(directory, family, split, entry.command)
  return f"run `{command} {entry.flags} --overwrite`"


def open_builder(
  directory: str, family: str, split: str
) -> tfds.core.DatasetBuilder:
  """Returns TFDS's reader of a cache, after `verify` and its own metadata.

  Raises:
    UserError: The cache or TFDS's metadata is absent, unfinished or damaged.
  """
  entry = verify(directory, family, split)
  lengths = [shard.examples for shard in entry.shards]
  try:
    builder = tfds.builder_from_directory(directory)
    found = str(builder.info.splits[split].shard_lengths)
    known = builder.info.features.keys()
  except Exception as error:  # TFDS has no error of its own for these.
    found, known = f"{type(error).__name__}: {error}", ()
  if found == str(lengths) and known == records.features().keys():
    return builder
  raise UserError(
    f"TFDS's dataset_info.json or features.json in {directory} is damaged.",
    expected=f"records of schema {records.SCHEMA_VERSION}, in shards of"
    f" {lengths}",
    found=found,
    remedy=_rebuild(directory, family, split, entry),
  )


def _what_is_there(directory: str, family: str, split: str) -> str:
  if not tf.io.gfile.isdir(directory):
    return "no such directory"
  files = shard_files(directory, family, split)
  unfinished = f"{len(files)} shards of an unfinished run"
  return unfinished if files else "none of its files"


def shard_files(directory: str, family: str, split: str) -> list[str]:
  """Returns the names of a split's shards, whole or not, listed or not."""
  stem = f"{family}-{split}.tfrecord-"
  names: Iterable[str] = tf.io.gfile.listdir(directory)
  return sorted(
    n for n in names if n.removeprefix(manifest.INCOMPLETE).startswith(stem)
  )


def _verify_shard(directory: str, shard: manifest.Shard, remedy: str) -> None:
  path = os.path.join(directory, shard.file)
  try:
    stat = tf.io.gfile.stat(path)
  except tf.errors.NotFoundError:
    found = "no such file"
  else:
    if stat.length != shard.bytes:
      found = f"{stat.length} bytes"
    else:
      seen = (path, shard.sha256, stat.mtime_nsec)
      digest = shard.sha256 if seen in _INTACT else sha256(path)
      if digest == shard.sha256:
        _INTACT.add(seen)
        return
      found = f"sha256 {digest}"
  raise UserError(
    f"The shard {path} is not what {manifest.FILE_NAME} says.",
    expected=f"{shard.bytes} bytes, sha256 {shard.sha256}",
    found=found,
    remedy=remedy,
  )


def sha256(path: str) -> str:
  """Returns a file's SHA-256 in hex."""
  digest = hashlib.sha256()
  with tf.io.gfile.GFile(path, "rb") as file:
    while chunk := file.read(1 << 20):
      digest.update(chunk)
  return digest.hexdigest()
