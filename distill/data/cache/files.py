"""The files of a cache: written whole, and verified before they are read.

Shards are byte-identical in every run, and TFDS knows them. A split is complete
or not there. A cache is checked against its manifest before it is read.
"""

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

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
  there = "no such directory"
  if tf.io.gfile.isdir(directory):
    unfinished = len(shard_files(directory, family, split))
    there = f"{unfinished} shards of an unfinished run" * bool(unfinished)
  raise UserError(
    f"There is no cached '{split}' split of '{family}' in {directory}.",
    expected=f"a {manifest.FILE_NAME} with this split, which a finished"
    " `distill cache ask` leaves",
    found=there or "none of its files",
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
    _verify_shard(
      directory, shard, manifest.rebuild(directory, family, split, entry)
    )
  return entry


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
    remedy=manifest.rebuild(directory, family, split, entry),
  )


def read(directory: str, family: str, split: str) -> Iterator[records.Record]:
  """Yields a split's records, in their order."""
  builder = open_builder(directory, family, split)
  config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
  rows = builder.as_dataset(split=split, read_config=config)
  for row in tfds.as_numpy(rows):
    yield records.Record.from_dict(row)


def shard_files(directory: str, family: str, split: str) -> list[str]:
  """Returns the names of a split's shards, whole or not, listed or not."""
  stem = f"{family}-{split}.tfrecord-"
  names: Iterable[str] = tf.io.gfile.listdir(directory)
  return sorted(
    n for n in names if n.removeprefix(manifest.INCOMPLETE).startswith(stem)
  )


def _verify_shard(directory: str, shard: manifest.Shard, remedy: str) -> None:
  path = os.path.join(directory, shard.file)
  found = _damage(path, shard)
  if found:
    raise UserError(
      f"The shard {path} is not what {manifest.FILE_NAME} says.",
      expected=f"{shard.bytes} bytes, sha256 {shard.sha256}",
      found=found,
      remedy=remedy,
    )


def _damage(path: str, shard: manifest.Shard) -> str:
  """Returns how a file differs from its entry, '' if it is intact."""
  try:
    stat = tf.io.gfile.stat(path)
  except tf.errors.NotFoundError:
    return "no such file"
  if stat.length != shard.bytes:
    return f"{stat.length} bytes"
  seen = (path, shard.sha256, stat.mtime_nsec)
  if seen not in _INTACT:
    digest = sha256(path)
    if digest != shard.sha256:
      return f"sha256 {digest}"
    _INTACT.add(seen)
  return ""


def sha256(path: str) -> str:
  """Returns a file's SHA-256 in hex."""
  digest = hashlib.sha256()
  with tf.io.gfile.GFile(path, "rb") as file:
    while chunk := file.read(1 << 20):
      digest.update(chunk)
  return digest.hexdigest()


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
  count: int,
) -> tuple[tuple[manifest.Shard, ...], int]:
  """Writes a split under temporary names, in `num_shards` runs of its records.

  Args:
    directory: The cache's folder.
    family: The dataset's name, the first part of the files'.
    split: Its split, the second part.
    content: The records, read one by one.
    num_shards: How many files.
    count: How many records there are.

  Returns:
    The shards, by the names that `publish` gives them, and the size in bytes
    of all serialised records.
  """
  schema = records.features()
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
    raise ValueError(f"there are more than {count} records")
  return tuple(shards), total


def _write(directory: str, name: str, rows: list[bytes]) -> manifest.Shard:
  path = os.path.join(directory, manifest.INCOMPLETE + name)
  with tf.io.TFRecordWriter(path) as writer:
    for row in rows:
      writer.write(row)
  size = tf.io.gfile.stat(path).length
  return manifest.Shard(name, len(rows), size, sha256(path))


def publish(
  directory: str, family: str, split: str, shards: Sequence[manifest.Shard]
) -> None:
  """Gives staged shards their names and removes the split's other files."""
  for shard in shards:
    path = os.path.join(directory, shard.file)
    draft = os.path.join(directory, manifest.INCOMPLETE + shard.file)
    tf.io.gfile.rename(draft, path, overwrite=True)
  kept = {shard.file for shard in shards}
  for name in shard_files(directory, family, split):
    if name not in kept:
      tf.io.gfile.remove(os.path.join(directory, name))


def write_tfds_metadata(directory: str, content: manifest.Manifest) -> None:
  """Writes TFDS's `dataset_info.json` and `features.json` for all splits.

  They are made in a folder of their own and renamed into place, so that they
  are never half-written for a reader of another split. TFDS wants to see the
  names of the shards there; it does not look into them.
  """
  draft = epath.Path(directory, manifest.INCOMPLETE + "metadata")
  draft.rmtree(missing_ok=True)
  draft.mkdir()
  infos = []
  for split, entry in content.splits.items():
    for shard in entry.shards:
      (draft / shard.file).write_text("")
    template = tfds.core.ShardedFileTemplate(
      data_dir=draft,
      dataset_name=content.family,
      split=split,
      filetype_suffix="tfrecord",
    )
    info = tfds.core.SplitInfo(
      name=split,
      shard_lengths=[shard.examples for shard in entry.shards],
      num_bytes=entry.record_bytes,
      filename_template=template,
    )
    infos.append(info)
  tfds.folder_dataset.write_metadata(
    data_dir=draft,
    features=records.features(),
    split_infos=infos,
    version=_VERSION,
    check_data=False,
    description=f"Teacher's answers to '{content.family}': docs/cache.md",
  )
  for path in sorted(draft.glob("*.json")):
    path.replace(epath.Path(directory, path.name))
  draft.rmtree()


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
  wanted: Mapping[str, str],
  there: Mapping[str, str],
) -> None:
  """Raises UserError if a split that is there was made in another way."""
  changed = [key for key in wanted if there[key] != wanted[key]]
  if changed:
    raise UserError(
      f"{directory} has a '{split}' split that was made in another way.",
      expected=", ".join(f"{key} {wanted[key]}" for key in changed),
      found=", ".join(f"{key} {there[key]}" for key in changed),
      remedy="give another --output_dir to keep both, or add --overwrite to"
      " replace it",
    )


def commit(directory: str, split: str, entry: manifest.SplitEntry) -> None:
  """Makes staged shards a split: removes its entry first, writes it last."""
  # Read again: another split may have been finished in the meantime.
  before = manifest.read(directory)
  if before is None:
    raise UserError(f"{directory}/{manifest.FILE_NAME} no longer exists.")
  without = before.with_split(split, None)
  manifest.write(directory, without)
  stale = f"{directory}/{manifest.HYGIENE.format(split=split)}"
  if tf.io.gfile.exists(stale):
    tf.io.gfile.remove(stale)
  publish(directory, before.family, split, entry.shards)
  after = without.with_split(split, entry)
  write_tfds_metadata(directory, after)
  manifest.write(directory, after)


@contextlib.contextmanager
def writing(directory: str) -> Iterator[None]:
  """Turns errors of the file system into a UserError that names the folder."""
  try:
    yield
  except (tf.errors.OpError, OSError) as error:
    raise UserError(
      f"The cache cannot be written to {directory}.",
      expected="a folder that can be made and written",
      found=str(error),
      remedy="give another --output_dir, or fix its permissions or free space",
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
    num_shards: None: `files.default_num_shards`.
    origin: The entry of the cache that these were chosen from: it says who was
      asked, and how.
    modules: The modules that register the family, except `tasks`.

  Raises:
    UserError: The folder cannot be written, or the split is there and came
      about in another way.
  """
  with writing(directory):
    tf.io.gfile.makedirs(directory)
    known = open_cache(directory, family).splits.get(split)
    if known is not None and not overwrite:
      wanted = {"command": command, "flags": flags, "source": source}
      check_same(directory, split, wanted, vars(known))
      return known
    num_shards = num_shards or default_num_shards(len(content))
    staged, size = stage(
      directory, family, split, content, num_shards, len(content)
    )
    entry = manifest.SplitEntry(
      data_sha256=records.data_sha256(content),
      examples=len(content),
      labeled=sum(bool(row.label) for row in content),
      flags=flags,
      record_bytes=size,
      shards=staged,
      ledger=(manifest.LedgerRow.unasked(content, origin),),
      command=command,
      source=source,
      modules=tuple(modules),
    )
    commit(directory, split, entry)
  return entry
