"""Rows for views: records of a cache, and examples that nobody was asked about.

A row has the fields of a record that views use (`FIELDS`). Records are read
from the cache's files as they are used, by their numbers in an index. All of
it is `tf.data` whose iterators can be saved.
"""

import array
import math
from collections.abc import Sequence

import numpy as np
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.cache import record_index, records
from distill.data.cache.record_index import RecordIndex
from distill.data.examples import Example
from distill.data.selection import Selection

_TEXTS = ("id", "input", "label")
_ANSWERS = ("rationales", "teacher_labels", "agrees")
FIELDS = (*_TEXTS, *_ANSWERS)
Row = dict[str, tf.Tensor]


def of_examples(
  examples: Sequence[Example], answers: int = 0
) -> tf.data.Dataset:
  """Returns the rows of examples, each with `answers` empty answers."""
  columns = {
    field: tf.constant([getattr(e, field) for e in examples], tf.string)
    for field in _TEXTS
  }

  def with_answers(row: Row) -> Row:
    texts, numbers = (
      # Of unknown length, as in a row of a record.
      tf.compat.v1.placeholder_with_default(tf.fill([answers], value), [None])
      for value in ("", records.NO_GOLD)
    )
    empty = dict.fromkeys(("rationales", "teacher_labels"), texts)
    return {**row, **empty, "agrees": numbers}

  return tf.data.Dataset.from_tensor_slices(columns).map(with_answers)


def of_records(
  index: RecordIndex,
  examples: Sequence[Example],
  selection: Selection,
  whole: bool,
  shard_info: seqio.ShardInfo | None = None,
) -> tf.data.Dataset:
  """Returns the records of examples, with their selected answers.

  They are in the order of the examples. Where no answer of a record is
  selected, all of its rationales are empty and the teacher's labels stay.

  Args:
    index: The cache.
    examples: The selected examples.
    selection: Which answers are selected.
    whole: Whether examples without a record have a row with an empty answer.
    shard_info: Which rows are wanted; None is all.

  Raises:
    UserError: Answers lack what they are to be selected by.
  """
  numbers, owners = _in_turn(index, examples, whole)
  is_covered = np.ones(len(examples), bool)
  if selection.coverage < 1:
    covered = selection.covered([example.id for example in examples])
    is_covered[:] = [example.id in covered for example in examples]
  if shard_info is not None:
    mine = slice(shard_info.index, None, shard_info.num_shards)
    numbers, owners = numbers[mine], owners[mine]
  there = numbers >= 0
  found, of = numbers[there], owners[there]
  counts = np.where(is_covered[of], index.answers[found], 0)
  places = None
  if selection.limits_answers:
    places, counts = _kept(index, selection, found, counts > 0)
  ends = np.cumsum(counts, dtype=np.int64)
  schema = records.features()
  schema = tfds.features.FeaturesDict({f: schema[f] for f in FIELDS})

  def read(number: tf.Tensor, end: tf.Tensor, count: tf.Tensor) -> Row:
    content = tf.numpy_function(index.read, [number], tf.string, stateful=False)
    row = schema.deserialize_example(tf.ensure_shape(content, []))
    first = end - tf.cast(count, end.dtype)
    kept = tf.range(count) if places is None else places[first:end]
    return _with_answers(row, kept)

  slices = tf.data.Dataset.from_tensor_slices((found, ends, counts))
  rows = slices.map(read, num_parallel_calls=tf.data.AUTOTUNE)
  if there.all():
    return rows
  lacking = of_examples([examples[owner] for owner in owners[~there]], 1)
  turns = tf.data.Dataset.from_tensor_slices(there.astype(np.int64))
  both = tf.data.Dataset.choose_from_datasets([lacking, rows], turns)
  return both.apply(tf.data.experimental.assert_cardinality(len(there)))


def _in_turn(
  index: RecordIndex, examples: Sequence[Example], whole: bool
) -> tuple[np.ndarray, np.ndarray]:
  """Returns numbers of records and of their examples, in the examples' order.

  A cache of single answers has the ids 'x', 'x/1', …; an import whose rows had
  ids of their own is known by its inputs. With `whole`, an example without a
  record has the number -1.
  """
  ids = record_index.digests(example.id for example in examples)
  inputs = record_index.digests(example.input for example in examples)
  owners = record_index.find(index.ids, ids)
  for keys, among in ((index.stems, ids), (index.inputs, inputs)):
    lost = owners < 0
    owners[lost] = record_index.find(keys[lost], among)
  numbers = index.order[owners[index.order] >= 0]
  owners = owners[numbers]
  if whole:
    lacking = np.setdiff1d(np.arange(len(examples)), owners)
    numbers = np.concatenate([numbers, np.full(lacking.shape, -1)])
    owners = np.concatenate([owners, lacking])
  turn = np.argsort(owners, kind="stable")
  return numbers[turn], owners[turn]


def _kept(
  index: RecordIndex,
  selection: Selection,
  numbers: np.ndarray,
  covered: np.ndarray,
) -> tuple[tf.Tensor, np.ndarray]:
  """Returns which answers are selected of the covered ones of some records.

  Returns:
    The places of the answers in their records, record after record, and
    [numbers] how many there are of each. As a ragged tensor they would be an
    object for each record.
  """
  wanted = np.zeros(index.ids.shape, bool)
  wanted[numbers[covered]] = True
  # In the order of the files, which may be far away.
  counts = np.zeros(index.ids.shape, np.int32)
  places = array.array("i")
  for number, content in enumerate(index.contents()):
    if wanted[number]:
      kept = selection.kept(records.deserialise(content))
      counts[number] = len(kept)
      places.extend(kept)
  firsts = np.cumsum(counts, dtype=np.int64) - counts
  counts = counts[numbers]
  ends = np.cumsum(counts, dtype=np.int64)
  shift = np.repeat(firsts[numbers] - (ends - counts), counts)
  values = np.array(places, np.int32)[np.arange(len(shift)) + shift]
  return tf.constant(values), counts


def _with_answers(row: Row, kept: tf.Tensor) -> Row:
  """Returns a row with the answers at these places, or without rationales."""
  without = {**row, "rationales": tf.zeros_like(row["rationales"])}
  some = {field: tf.gather(row[field], kept) for field in _ANSWERS}
  return tf.cond(tf.size(kept) > 0, lambda: {**row, **some}, lambda: without)


def hardness(
  index: RecordIndex, examples: Sequence[Example], selection: Selection
) -> np.ndarray:
  """Returns [examples] what the curriculum sorts by; inf without a record.

  A record is an example's by its id, or else by its input, because an import's
  rows may have other ids.
  """
  contents = index.contents()
  hard = [selection.hardness(records.deserialise(c)) for c in contents]
  both = np.stack([index.ids[index.order], index.inputs[index.order]], axis=1)
  found = np.full(len(examples), -1)
  for field in ("id", "input"):
    keys = record_index.digests(getattr(e, field) for e in examples)
    found = np.where(found < 0, record_index.find(keys, both.ravel()), found)
  of_record = np.array([*hard, math.inf])
  # Number -1 is the last, without a record.
  numbers = np.where(found < 0, -1, index.order[found // 2])
  return of_record[numbers]
