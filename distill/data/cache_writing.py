"""Writes a split of a cache: whatever it comes from, complete or not there."""

import contextlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from distill.data import manifest, shards
from distill.errors import UserError


def open_cache(directory: str, family: str) -> manifest.Manifest:
  """Returns the directory's manifest, an empty one written if it is empty.

  Raises:
    UserError: It holds something else, or another family's cache.
  """
  found = manifest.read(directory)
  if found is None:
    names = [n for n in tf.io.gfile.listdir(directory) if ".tfrecord" in n]
    if names or tf.io.gfile.exists(f"{directory}/dataset_info.json"):
      raise UserError(
        f"{directory} holds a dataset that is not a cache of ours.",
        expected=f"an empty folder, or a cache with its {manifest.FILE_NAME}",
        found=", ".join(sorted(tf.io.gfile.listdir(directory))[:4]),
        remedy="give another --output_dir",
      )
    found = manifest.Manifest(family, {})
    # Also finds out, before anyone is asked, whether this can be written.
    manifest.write(directory, found)
  if found.family != family:
    raise UserError(
      f"{directory} is the cache of another dataset family.",
      expected=family,
      found=found.family,
      remedy="give another --output_dir",
    )
  return found


def check_same(
  directory: str,
  split: str,
  entry: manifest.SplitEntry,
  origin: Mapping[str, str],
  num_shards: int,
) -> None:
  """Raises UserError if a split that is there came about in another way."""
  wanted = {**origin, "num_shards": str(num_shards)}
  there = {key: getattr(entry, key) for key in origin}
  there["num_shards"] = str(len(entry.shards))
  changed = [key for key in wanted if there[key] != wanted[key]]
  if changed:
    raise UserError(
      f"{directory} has a '{split}' split that came about in another way.",
      expected=", ".join(f"{key} {wanted[key]}" for key in changed),
      found=", ".join(f"{key} {there[key]}" for key in changed),
      remedy="give another --output_dir to keep both, or add --overwrite to"
      " replace it",
    )


def commit(directory: str, split: str, entry: manifest.SplitEntry) -> None:
  """Makes staged shards a split: its entry goes first and comes last."""
  # Read again: another split may have been finished in the meantime.
  before = manifest.read(directory)
  if before is None:
    raise UserError(f"{directory}/{manifest.FILE_NAME} has gone away.")
  without = before.with_split(split, None)
  manifest.write(directory, without)
  shards.publish(directory, before.family, split, entry.shards)
  after = without.with_split(split, entry)
  shards.write_tfds_metadata(directory, after)
  manifest.write(directory, after)


@contextlib.contextmanager
def writing(directory: str) -> Iterator[None]:
  """Says an error of the file system as a UserError that names the folder."""
  try:
    yield
  except (tf.errors.OpError, OSError) as error:
    raise UserError(
      f"The cache cannot be written to {directory}.",
      expected="a folder that can be made and written",
      found=str(error),
      remedy="give another --output_dir, or mend its permissions or space",
    ) from error
