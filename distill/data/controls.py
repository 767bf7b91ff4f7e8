"""Controls of step-by-step: rationales without what they say of the example.

Each replaces the rationales of the view `_rationale` (docs/methods.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import seqio
import tensorflow as tf

from distill.data import views


@dataclass(frozen=True)
class TargetsOfOthers:
  """A preprocessor: each example gets the target of the one before it.

  The first of every `window` examples gets that of the last.
  """

  window: int = 1000

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples in their order, with each other's targets."""

    def roll(rows: views.Row) -> views.Row:
      return {**rows, "targets": tf.roll(rows["targets"], shift=1, axis=0)}

    return dataset.batch(self.window).map(roll).unbatch()


@dataclass(frozen=True)
class PermutedTokens:
  """A preprocessor: target tokens in an order that only the `id` decides."""

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples, each with the tokens that it had."""

    def permute(row: views.Row) -> views.Row:
      number = tf.strings.to_hash_bucket_fast(row["id"], 2**31 - 1)
      shuffle = tf.random.experimental.stateless_shuffle
      targets = shuffle(row["targets"], seed=tf.stack([number, 0]))
      return {**row, "targets": targets}

    return dataset.map(permute, num_parallel_calls=tf.data.AUTOTUNE)


def filler_tokens(
  dataset: tf.data.Dataset, output_features: Mapping[str, seqio.Feature]
) -> tf.data.Dataset:
  """Returns the examples, each target token replaced by a full stop's."""
  filler = output_features["targets"].vocabulary.encode(".")[-1]

  def fill(row: views.Row) -> views.Row:
    return {**row, "targets": tf.fill(tf.shape(row["targets"]), filler)}

  return dataset.map(fill, num_parallel_calls=tf.data.AUTOTUNE)


@dataclass(frozen=True)
class RepeatedLabel:
  """A view: the label, as often as makes up the rationale's words."""

  label: views.Targets

  def __call__(self, record: views.Row) -> tf.Tensor:
    """Returns [1] target, empty where there is no label or no rationale."""
    label = tf.strings.reduce_join(self.label(record))
    text = tf.strings.reduce_join(views.rationale(record))
    words, each = (tf.size(tf.strings.split(t)) for t in (text, label))
    times = tf.maximum(words // tf.maximum(each, 1), 1)
    repeated = tf.strings.reduce_join(tf.fill([times], label), separator=" ")
    missing = tf.equal(label, "") | tf.equal(text, "")
    return tf.where(missing, "", repeated)[tf.newaxis]
