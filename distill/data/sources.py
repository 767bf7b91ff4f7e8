"""Where SeqIO tasks read from: the dataset itself, or a teacher's cache.

Both give the fields of a record that views use: `id`, `input` and `label`,
and `rationales`, `teacher_labels` and `agrees`, which are empty where no
teacher was asked. All of it is plain `tf.data`, so that an iterator's position
can be saved, and every path may be a gs:// one.
"""

import os
from collections.abc import Sequence

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.cache import caching, verification
from distill.data.examples import Dataset, Example
from distill.errors import UserError

_ANSWER_FIELDS = {
  "rationales": tf.string,
  "teacher_labels": tf.string,
  "agrees": tf.int32,
}
_FIELDS = ("id", "input", "label", *_ANSWER_FIELDS)


class DatasetSource(seqio.DataSource):
  """The rows of a dataset, in its order."""

  def __init__(self, dataset: Dataset) -> None:
    super().__init__(splits=dataset.splits, caching_permitted=False)
    self._dataset = dataset
    self._sizes: dict[str, int] = {}

  @property
  def supports_arbitrary_sharding(self) -> bool:
    """Returns False: SeqIO deals out single examples instead."""
    return False

  def list_shards(self, split: str) -> Sequence[str]:
    """Returns one shard, so that SeqIO never asks for a part."""
    return [split]

  def num_input_examples(self, split: str) -> int:
    """Returns the split's size, which was counted when it was last read."""
    if split not in self._sizes:
      self._examples(split)
    return self._sizes[split]

  def get_dataset(
    self,
    split: str = "train",
    shuffle: bool = True,
    seed: int | None = None,
    shard_info: seqio.ShardInfo | None = None,
    **unused: object,
  ) -> tf.data.Dataset:
    """Returns the split's rows; the task that reads them shuffles them.

    Raises:
      UserError: There is no such split, or a cache is absent or damaged.
    """
    del unused
    return self._read(split, shuffle, seed, shard_info)

  def _read(
    self,
    split: str,
    shuffle: bool,
    seed: int | None,
    shard_info: seqio.ShardInfo | None,
  ) -> tf.data.Dataset:
    del shuffle, seed, shard_info  # one shard, in the dataset's order
    examples = self._examples(split)
    columns = {
      field: tf.constant([getattr(e, field) for e in examples], tf.string)
      for field in ("id", "input", "label")
    }
    unanswered = {key: tf.zeros([0], t) for key, t in _ANSWER_FIELDS.items()}
    rows = tf.data.Dataset.from_tensor_slices(columns)
    return rows.map(lambda row: {**row, **unanswered})

  def _examples(self, split: str) -> Sequence[Example]:
    if split not in self.splits:
      raise UserError(
        f"The dataset '{self._dataset.name}' has no split '{split}'.",
        expected="one of " + ", ".join(self.splits),
      )
    examples = self._dataset.examples(split)
    self._sizes[split] = len(examples)
    return examples


class TeacherSource(DatasetSource):
  """As `DatasetSource`, but training rows come from the teacher's cache.

  The cache is looked for, checked and opened when it is read, so that neither
  a changed DISTILL_DATA_DIR nor a rewritten cache meets anything stale.
  """

  def list_shards(self, split: str) -> Sequence[str]:
    """Returns the names of the cache's files, or one shard without a cache."""
    if split != "train":
      return super().list_shards(split)
    entry = verification.find_entry(self._directory, self._dataset.name, split)
    return [shard.file for shard in entry.shards]

  def num_input_examples(self, split: str) -> int:
    """Returns the number of records, or of rows without a cache."""
    if split != "train":
      return super().num_input_examples(split)
    entry = verification.find_entry(self._directory, self._dataset.name, split)
    return entry.examples

  def _read(
    self,
    split: str,
    shuffle: bool,
    seed: int | None,
    shard_info: seqio.ShardInfo | None,
  ) -> tf.data.Dataset:
    if split != "train":
      return super()._read(split, shuffle, seed, shard_info)
    builder = verification.open_builder(
      self._directory, self._dataset.name, split
    )
    config = tfds.ReadConfig(
      shuffle_seed=seed, skip_prefetch=True, try_autocache=False
    )
    if shard_info is not None:
      config.input_context = tf.distribute.InputContext(
        num_input_pipelines=shard_info.num_shards,
        input_pipeline_id=shard_info.index,
      )
    rows = builder.as_dataset(
      split=split, shuffle_files=shuffle, read_config=config
    )
    return rows.map(lambda row: {key: row[key] for key in _FIELDS})

  @property
  def _directory(self) -> str:
    return os.path.join(caching.cache_root(), self._dataset.name)
