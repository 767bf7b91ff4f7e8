"""Where SeqIO tasks read from: the dataset itself, or a teacher's cache.

Both give the fields of a record that views use: `id`, `input` and `label`,
and `rationales`, `teacher_labels` and `agrees`, which are empty where no
teacher was asked. All of it is plain `tf.data`, so that an iterator's position
can be saved, and every path may be a gs:// one.

A cache is read from its files as it is used. What is selected from it
(`selection`), or joined with the dataset's rows, is chosen beforehand; the
numbers of the chosen records and answers are kept in memory, and no texts.
"""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data import lookup, record_rows
from distill.data.cache import files, manifest, record_index, records
from distill.data.examples import Dataset, Example, check_split, read_split
from distill.data.selection import current_selection


class DatasetSource(seqio.DataSource):
  """The rows of a dataset, in its order."""

  def __init__(self, dataset: Dataset) -> None:
    super().__init__(splits=dataset.splits, caching_permitted=False)
    self._dataset = dataset
    # Rows without a gold label and all rows, by split.
    self._counts: dict[str, tuple[int, int]] = {}
    self._train_sha256 = ""

  @property
  def name(self) -> str:
    """The dataset's name."""
    return self._dataset.name

  def content(self, split: str) -> dict[str, Any]:
    """Returns what tells the content of a training split, as a JSON value.

    It has the SHA-256 of the dataset's rows as they were last read, and the
    teacher and checksums of the cache, where the split comes from these. Other
    splits have none of it.

    Raises:
      UserError: There is no cache.
    """
    if split != "train":
      return {}
    found: dict[str, Any] = {}
    rows, cache = self._reads
    if rows:
      if not self._train_sha256:
        self._examples(split)
      found["rows_sha256"] = self._train_sha256
    if cache:
      found["cache"] = _cache_content(self._dataset.name)
    return found

  @property
  def _reads(self) -> tuple[bool, bool]:
    """Whether a training split comes from the rows, and from the cache."""
    return True, current_selection().curriculum is not None

  @property
  def supports_arbitrary_sharding(self) -> bool:
    """Returns True: `get_dataset` reads any part of the rows."""
    return True

  def list_shards(self, split: str) -> Sequence[str]:
    """Returns one shard, so that SeqIO never asks for a part."""
    return [split]

  def has_fixed_order(self, split: str, shuffle: bool) -> bool:
    """Returns whether the examples come in the same order in every epoch.

    Files of a cache are shuffled.
    """
    return not shuffle or len(self.list_shards(split)) == 1

  def num_input_examples(self, split: str) -> int:
    """Returns the split's size, which was counted when it was last read."""
    if split not in self._counts:
      self._examples(split)
    _, size = self._counts[split]
    return current_selection().count(size) if split == "train" else size

  def unlabeled(self, split: str) -> tuple[int, int]:
    """Returns how many of a split's rows have no gold label, and of how many.

    Raises:
      UserError: The split cannot be read.
    """
    if split not in self._counts:
      self._examples(split)
    return self._counts[split]

  def get_dataset(
    self,
    split: str = "train",
    shuffle: bool = True,
    seed: int | None = None,
    shard_info: seqio.ShardInfo | None = None,
    **unused: object,
  ) -> tf.data.Dataset:
    """Returns the split's rows; the task that reads them shuffles them.

    A part, by `shard_info`, is whole files of a cache if there are as many as
    parts, or else every n-th row, n being the number of parts.

    Raises:
      UserError: There is no such split, or a cache is absent or damaged, or
        less than what is to be selected, or a curriculum is to be shuffled.
    """
    del unused
    if split != "train":
      rows = record_rows.of_examples(self._examples(split))
      return _part(rows, shard_info)
    current_selection().check_order(shuffle)
    return self._training_rows(shuffle, seed, shard_info)

  def _training_rows(
    self, shuffle: bool, seed: int | None, shard_info: seqio.ShardInfo | None
  ) -> tf.data.Dataset:
    del shuffle, seed  # one shard, in the dataset's order
    return _part(record_rows.of_examples(self._selected()), shard_info)

  def _selected(self) -> Sequence[Example]:
    """Returns the selected examples of the training split."""
    selection, examples = current_selection(), self._examples("train")
    if selection.is_everything:
      return examples
    chosen = selection.chosen([example.id for example in examples])
    kept = [example for example in examples if example.id in chosen]
    if selection.curriculum is None:
      return kept
    hard = record_rows.hardness(_index(self._dataset.name), kept, selection)
    return [kept[place] for place in np.argsort(hard, kind="stable")]

  def _examples(self, split: str) -> Sequence[Example]:
    check_split(self._dataset, split)
    examples = read_split(self._dataset, split)
    unlabeled = sum(not example.label for example in examples)
    self._counts[split] = unlabeled, len(examples)
    if split == "train":
      self._train_sha256 = records.data_sha256(examples)
    return examples


class TeacherSource(DatasetSource):
  """As `DatasetSource`, but training rows come from the teacher's cache.

  The cache is looked for, checked and opened when it is read, so that neither
  a changed DISTILL_DATA_DIR nor a rewritten cache meets anything stale.

  Args:
    dataset: Its rows.
    whole: Whether examples that the cache lacks are rows all the same, as if
      the teacher's answer had been empty.
  """

  def __init__(self, dataset: Dataset, whole: bool = False) -> None:
    super().__init__(dataset)
    self._whole = whole

  def list_shards(self, split: str) -> Sequence[str]:
    """Returns the names of the cache's files, or one shard if none is read."""
    if split != "train" or self._by_rows:
      return super().list_shards(split)
    return [shard.file for shard in self._entry().shards]

  def num_input_examples(self, split: str) -> int:
    """Returns the number of records, or of rows without a cache."""
    if split != "train" or self._by_rows:
      return super().num_input_examples(split)
    return self._entry().examples

  def unlabeled(self, split: str) -> tuple[int, int]:
    """Returns how many of the rows have no gold label, and of how many."""
    if split != "train" or self._by_rows:
      return super().unlabeled(split)
    entry = self._entry()
    return entry.examples - entry.labeled, entry.examples

  @property
  def _by_rows(self) -> bool:
    return self._whole or not current_selection().is_everything

  @property
  def _reads(self) -> tuple[bool, bool]:
    return self._by_rows, True

  def _entry(self) -> manifest.SplitEntry:
    return _entry(self._dataset.name)

  def _training_rows(
    self, shuffle: bool, seed: int | None, shard_info: seqio.ShardInfo | None
  ) -> tf.data.Dataset:
    name = self._dataset.name
    if self._by_rows:
      return record_rows.of_records(
        *(_index(name), self._selected(), current_selection()),
        *(self._whole, shard_info),
      )
    builder = files.open_builder(_directory(name), name, "train")
    config = tfds.ReadConfig(
      shuffle_seed=seed, skip_prefetch=True, try_autocache=False
    )
    by_file = shard_info and shard_info.num_shards <= len(self._entry().shards)
    if shard_info and by_file:
      config.input_context = tf.distribute.InputContext(
        num_input_pipelines=shard_info.num_shards,
        input_pipeline_id=shard_info.index,
      )
    rows = builder.as_dataset(
      split="train", shuffle_files=shuffle, read_config=config
    )
    rows = rows.map(lambda row: {key: row[key] for key in record_rows.FIELDS})
    return rows if by_file else _part(rows, shard_info)


def _part(
  rows: tf.data.Dataset, shard_info: seqio.ShardInfo | None
) -> tf.data.Dataset:
  if shard_info is None:
    return rows
  return rows.shard(shard_info.num_shards, shard_info.index)


def _directory(family: str) -> str:
  return os.path.join(lookup.cache_root(), family)


def _entry(family: str) -> manifest.SplitEntry:
  return files.find_entry(_directory(family), family, "train")


def _cache_content(family: str) -> dict[str, str]:
  entry = _entry(family)
  shards = "".join(shard.sha256 for shard in entry.shards)
  return {
    "teacher": entry.teacher,
    "prompt": entry.prompt,
    "data_sha256": entry.data_sha256,
    "shards_sha256": hashlib.sha256(shards.encode("ascii")).hexdigest(),
  }


def _index(family: str) -> record_index.RecordIndex:
  return record_index.of_cache(_directory(family), family, "train")
