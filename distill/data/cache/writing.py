"""Writes a split of a cache: whatever it comes from, complete or not there."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf

from distill.data.cache import manifest, records, shards
from distill.data.examples import Example
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
  stale = f"{directory}/{manifest.HYGIENE.format(split=split)}"
  if tf.io.gfile.exists(stale):
    tf.io.gfile.remove(stale)
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


def write_records(
  directory: str,
  family: str,
  split: str,
  content: Sequence[records.Record],
  *,
  command: str,
  source: str,
  flags: str,
  overwrite: bool,
  num_shards: int | None = None,
  origin: manifest.SplitEntry | None = None,
  modules: Sequence[str] = (),
) -> manifest.SplitEntry:
  """Writes records that no teacher was asked for here as a cache's split.

  Args:
    directory: The cache's folder.
    family: The dataset's name.
    split: The split.
    content: Its records.
    command: Which of our commands wants it.
    source: What the records come from, for the manifest.
    flags: The command's flags, for messages.
    overwrite: Replaces a split that is there.
    num_shards: None: `shards.default_num_shards`.
    origin: The entry of the cache that these were chosen from: it says who was
      asked, and how.
    modules: What registers the family, but for `tasks`.

  Raises:
    UserError: The folder cannot be written, or the split is there and came
      about in another way.
  """
  with writing(directory):
    tf.io.gfile.makedirs(directory)
    known = open_cache(directory, family).splits.get(split)
    if known is not None and not overwrite:
      if (known.command, known.source, known.flags) == (command, source, flags):
        return known
      raise UserError(
        f"{directory} has a '{split}' split that came about in another way.",
        expected=f"{command} {flags}, of {source}",
        found=f"{known.command} {known.flags}, of {known.source}",
        remedy="give another --output_dir, or add --overwrite to replace it",
      )
    num_shards = num_shards or shards.default_num_shards(len(content))
    staged, size = shards.stage(directory, family, split, content, num_shards)
    names = dict.fromkeys(name for row in content for name in row.teachers)
    labels = [label for row in content for label in row.teacher_labels]
    entry = manifest.SplitEntry(
      teacher=origin.teacher if origin else ", ".join(names),
      prompt=origin.prompt if origin else "",
      prompt_sha256=origin.prompt_sha256 if origin else "",
      sampling=origin.sampling if origin else "",
      data_sha256=data_sha256(content),
      examples=len(content),
      labeled=sum(bool(row.label) for row in content),
      answers=len(labels),
      parsed=sum(map(bool, labels)),
      agreeing=sum(row.agrees.count(records.AGREES) for row in content),
      prompt_tokens=0,
      completion_tokens=0,
      flags=flags,
      record_bytes=size,
      shards=staged,
      command=command,
      source=source,
      modules=tuple(modules),
    )
    commit(directory, split, entry)
  return entry


def data_sha256(rows: Iterable[Example | records.Record]) -> str:
  """Returns the SHA-256, in hex, of examples or records in their order."""
  digest = hashlib.sha256()
  for row in rows:
    line = json.dumps([row.id, row.input, row.label])
    digest.update(line.encode("ascii") + b"\n")
  return digest.hexdigest()
