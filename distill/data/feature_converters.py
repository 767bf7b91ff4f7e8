"""Loss groups: which part of the loss each target token belongs to.

They travel beside `targets` as one more SeqIO feature, because mixtures drop
whatever is none, and come out as `decoder_loss_groups`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import seqio
import tensorflow as tf

NO_GROUP, LABEL_GROUP, RATIONALE_GROUP, UNLIKELIHOOD_GROUP = 0, 1, 2, 3
NUM_GROUPS = 4
FEATURE = "loss_groups"
MODEL_FEATURE = "decoder_loss_groups"


@dataclass(frozen=True)
class AddLossGroup:
  """A preprocessor: marks all target tokens as of one group.

  It comes last, so that the end of sequence is marked too.
  """

  group: int

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples with `loss_groups`, int32 of targets' shape."""

    def mark(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
      shape = tf.shape(example["targets"])
      return {**example, FEATURE: tf.fill(shape, self.group)}

    return dataset.map(mark, num_parallel_calls=tf.data.AUTOTUNE)


class LossGroupFeatureConverter(seqio.EncDecFeatureConverter):
  """SeqIO's encoder-decoder converter, with the loss group of each token.

  Its arguments are those of `seqio.EncDecFeatureConverter`. Tasks without the
  feature have group 0 throughout.
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

    A length for `loss_groups` (SeqIO's evaluator gives one, T5X none) is
    replaced: they are as long as the targets, which may have been trimmed.
    """
    lengths = {
      **task_feature_lengths,
      FEATURE: task_feature_lengths["targets"],
    }
    ds = ds.map(_align_groups, num_parallel_calls=tf.data.AUTOTUNE)
    return super().__call__(ds, lengths)

  def _convert_example(
    self, features: Mapping[str, tf.Tensor]
  ) -> Mapping[str, tf.Tensor]:
    groups = tf.maximum(features[FEATURE] - 1, 0)
    return {**super()._convert_example(features), MODEL_FEATURE: groups}

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
