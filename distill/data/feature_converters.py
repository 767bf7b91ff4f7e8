"""Examples in tokens → rows of a batch, with the loss group of each token.

Loss groups travel beside `targets` as one more SeqIO feature, because mixtures
drop whatever is none, and come out as `decoder_loss_groups`.
"""

from collections.abc import Mapping

import gin
import seqio
import tensorflow as tf

from distill.data import joined_targets, prefixes, registration
from distill.errors import PositiveInt, UserError
from distill.loss_groups import FEATURE, MODEL_FEATURE, PREFIX, SECOND


class LossGroupFeatureConverter(seqio.EncDecFeatureConverter):
  """SeqIO's encoder-decoder converter, with the loss group of each token.

  Its arguments are those of `seqio.EncDecFeatureConverter`. Tasks without the
  feature have group 0 throughout. An example with a second view becomes two
  rows, one after the other; with PREFIX_SIDE = 'decoder' one row. In this row,
  and with SHARE_INPUTS, each target is a segment.
  """

  TASK_FEATURES = {
    **seqio.EncDecFeatureConverter.TASK_FEATURES,
    FEATURE: seqio.FeatureConverter.FeatureSpec(dtype=tf.int32),
  }
  MODEL_FEATURES = {
    **seqio.EncDecFeatureConverter.MODEL_FEATURES,
    MODEL_FEATURE: seqio.FeatureConverter.FeatureSpec(dtype=tf.int32),
  }

  def __call__(
    self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]
  ) -> tf.data.Dataset:
    """Returns model features; lengths are those of inputs and targets.

    A length for `loss_groups` or a second view (SeqIO's evaluator gives them,
    T5X none) is replaced: they are as long as the features of the first view,
    which may have been trimmed.

    With PREFIX_SIDE = 'decoder', rows that are not packed have
    `decoder_prefix_tokens` (the prefix that their target begins with, then 0).
    Rows with joined targets (`joined_targets`) have `decoder_segment_ids` of
    their targets and, if packed, `decoder_example_ids`, by which targets find
    the encoder's segment.

    Raises:
      UserError: Examples with a second view are to be packed, and their
        prefixes stand in the inputs.
    """
    rows = self._rows
    if not self.pack:  # SeqIO's packing needs AutoGraph.
      rows = tf.autograph.experimental.do_not_convert(rows)
    return rows(ds, task_feature_lengths)

  def _rows(
    self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]
  ) -> tf.data.Dataset:
    """Returns what `__call__` does."""
    lengths = {
      name: length
      for name, length in task_feature_lengths.items()
      if not name.startswith(SECOND)
    } | {FEATURE: task_feature_lengths["targets"]}
    paired = f"{SECOND}inputs" in ds.element_spec
    on_decoder = prefixes.on_decoder()
    if paired and not on_decoder:
      if self.pack:
        raise UserError(
          "The two views of an example cannot be packed.",
          expected="PACK = False, for a task <data>_step_by_step_paired",
          remedy="set --gin.PACK=False, or --gin.PREFIX_SIDE=decoder",
        )
      rows = ds.flat_map(lambda example: _both_rows(example, lengths))
      if ds.cardinality() >= 0:  # T5X asks what it evaluates for its length.
        count = rows.reduce(tf.constant(0, tf.int64), lambda n, _: n + 1)
        rows = rows.apply(tf.data.experimental.assert_cardinality(count))
      ds = rows
    ds = ds.map(_align_groups, num_parallel_calls=tf.data.AUTOTUNE)
    rows = super().__call__(ds, lengths)
    if on_decoder and not self.pack:
      rows = rows.map(_with_prefix, num_parallel_calls=tf.data.AUTOTUNE)
    joined = on_decoder if paired else joined_targets.shares_inputs()
    if joined:
      rows = rows.map(self._with_segments, num_parallel_calls=tf.data.AUTOTUNE)
    return rows

  def _convert_example(
    self, features: Mapping[str, tf.Tensor]
  ) -> Mapping[str, tf.Tensor]:
    row = super()._convert_example(features)
    groups = tf.maximum(features[FEATURE] - 1, 0)
    counts = groups % joined_targets.STRIDE != PREFIX
    weights = tf.where(counts, row["decoder_loss_weights"], 0)
    return {**row, "decoder_loss_weights": weights, MODEL_FEATURE: groups}

  def _with_segments(
    self, row: Mapping[str, tf.Tensor]
  ) -> dict[str, tf.Tensor]:
    """Returns a row in which each target of an example is a segment.

    `decoder_positions`, which T5 does not use, are left out.
    """
    row, targets = dict(row), row["decoder_target_tokens"]
    numbers = row[MODEL_FEATURE] // joined_targets.STRIDE
    row[MODEL_FEATURE] %= joined_targets.STRIDE
    there = tf.cast(targets > 0, tf.int32)
    examples = row.get("decoder_segment_ids", there)
    # A target begins where the example or the number is not the one before.
    both = tf.stack([examples, numbers])
    begins = tf.reduce_any(both[:, 1:] != both[:, :-1], axis=0)
    before = tf.cumsum(tf.pad(tf.cast(begins, tf.int32), [[1, 0]]))
    row["decoder_segment_ids"] = there * (1 + before)
    row["decoder_input_tokens"] = seqio.utils.make_autoregressive_inputs(
      targets, row["decoder_segment_ids"], bos_id=self.bos_id
    )
    if self.pack:
      row["decoder_example_ids"] = examples
      del row["decoder_positions"]
    return row

  def get_model_feature_lengths(
    self, task_feature_lengths: Mapping[str, int]
  ) -> Mapping[str, int]:
    """Returns the length of each model feature."""
    lengths = super().get_model_feature_lengths(task_feature_lengths)
    return {**lengths, MODEL_FEATURE: task_feature_lengths["targets"]}


def _align_groups(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
  """Returns the example with one group a target token, counted from 1.

  SeqIO's packing takes zeros for padding, so a group 0 in front of others
  would be lost and they would shift.
  """
  targets = example["targets"]
  groups = example.get(FEATURE, tf.zeros_like(targets))
  return {**example, FEATURE: groups[: tf.shape(targets)[0]] + 1}


def _with_prefix(row: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
  """Returns an unpacked row with the given tokens that begin its target."""
  given = tf.cast(row[MODEL_FEATURE] == PREFIX, tf.int32)
  tokens = row["decoder_target_tokens"] * tf.math.cumprod(given)
  return {**row, "decoder_prefix_tokens": tokens}


def _both_rows(
  example: Mapping[str, tf.Tensor], lengths: Mapping[str, int]
) -> tf.data.Dataset:
  """Returns an example's two views as rows, or the first if it has no other.

  A view without a target, which is but the end of sequence, is all padding.
  """
  rows = []
  for view in ("", SECOND):
    row = {
      name: example[view + name][:length] for name, length in lengths.items()
    }
    there = tf.cast(tf.size(example[f"{view}targets"]) > 1, tf.int64)
    taken = {
      name: tokens[: there * tf.size(tokens, tf.int64)]
      for name, tokens in row.items()
    }
    rows.append(tf.data.Dataset.from_tensors(taken))
  second = tf.cast(tf.size(example[f"{SECOND}inputs"]) > 1, tf.int64)
  return rows[0].concatenate(rows[1].take(second))


@gin.register
def rows_of_batch(
  mixture_or_task_name: str,
  batch_size: PositiveInt,
  module: str | None = None,
) -> int:
  """Returns the rows of a batch of examples: two each if they are pairs.

  A pair whose prefixes the decoder reads is one row.

  Raises:
    UserError: Nobody registered the name.
  """
  provider = registration.get_mixture_or_task(mixture_or_task_name, module)
  paired = f"{SECOND}inputs" in provider.output_features
  return batch_size * (2 if paired and not prefixes.on_decoder() else 1)
