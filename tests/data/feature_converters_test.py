"""Loss groups reach the batch, token by token, whatever happens to targets."""

import numpy as np
import pytest
import seqio
import tensorflow as tf

from distill import loss_groups
from distill.data.feature_converters import LossGroupFeatureConverter
from distill.data.views import AddLossGroup
from distill.errors import UserError

LENGTHS = {"inputs": 5, "targets": 7}


TOKENS = tf.TensorSpec([None], tf.int32)


def examples(*groups):
  """Returns the targets [3, 9, 1] and [4, 1] in turns, in given groups."""
  content = []
  for number, group in enumerate(groups):
    targets = [[3, 9, 1], [4, 1]][number % 2]
    content.append({"inputs": [7, 1], "targets": targets})
    if group is not None:
      content[-1]["loss_groups"] = [group] * len(targets)
  return tf.data.Dataset.from_generator(
    lambda: content, output_signature=dict.fromkeys(content[0], TOKENS)
  )


def convert(dataset, lengths=LENGTHS, **options):
  converter = LossGroupFeatureConverter(**options)
  return [
    {key: value.numpy().tolist() for key, value in row.items()}
    for row in converter(dataset, lengths)
  ]


def test_the_preprocessor_marks_every_target_token():
  [row] = AddLossGroup(2)(examples(None))
  assert row["loss_groups"].numpy().tolist() == [2, 2, 2]
  assert row["loss_groups"].dtype == tf.int32


def test_unpacked():
  first, second = convert(examples(1, 2), pack=False)
  assert first["decoder_target_tokens"] == [3, 9, 1, 0, 0, 0, 0]
  assert first["decoder_loss_groups"] == [1, 1, 1, 0, 0, 0, 0]
  assert first["decoder_input_tokens"] == [0, 3, 9, 1, 0, 0, 0]
  assert second["decoder_loss_groups"] == [2, 2, 0, 0, 0, 0, 0]
  assert len(first) == 5


def test_packed():
  [row] = convert(examples(1, 2), pack=True)
  assert row["decoder_target_tokens"] == [3, 9, 1, 4, 1, 0, 0]
  assert row["decoder_segment_ids"] == [1, 1, 1, 2, 2, 0, 0]
  assert row["decoder_loss_groups"] == [1, 1, 1, 2, 2, 0, 0]
  assert len(row) == 9


@pytest.mark.parametrize("pack", [True, False])
def test_what_is_not_ours_is_as_in_seqio(pack):
  ours = convert(examples(1, 2), pack=pack)
  plain = seqio.EncDecFeatureConverter(pack=pack)(examples(1, 2), LENGTHS)
  for row, expected in zip(ours, plain, strict=True):
    row.pop("decoder_loss_groups")
    assert row.keys() == expected.keys()
    for key in row:
      np.testing.assert_array_equal(row[key], expected[key])


def test_group_0_in_front_does_not_shift_the_others():
  [row] = convert(examples(0, 2), pack=True)
  assert row["decoder_loss_groups"] == [0, 0, 0, 2, 2, 0, 0]


@pytest.mark.parametrize("pack", [True, False])
def test_foreign_tasks_have_no_group(pack):
  for row in convert(examples(None, None), pack=pack):
    assert row["decoder_loss_groups"] == [0] * 7


@pytest.mark.parametrize("given", [{}, {"loss_groups": 99}])
@pytest.mark.parametrize("pack", [True, False])
def test_groups_are_trimmed_with_their_targets(pack, given):
  # SeqIO trims targets by their length and knows none for the groups.
  dataset = examples(2).map(lambda row: {**row, "targets": row["targets"][:2]})
  lengths = {"inputs": 2, "targets": 2, **given}
  [row] = convert(dataset, lengths, pack=pack)
  assert row["decoder_target_tokens"] == [3, 9]
  assert row["decoder_loss_groups"] == [2, 2]


def test_its_arguments_are_seqio_s():
  row = convert(
    examples(1).map(lambda row: {**row, "extra": row["inputs"]}),
    {**LENGTHS, "extra": 2},
    pack=False,
    bos_id=5,
    apply_length_check=False,
    passthrough_features={
      "extra": seqio.FeatureConverter.FeatureSpec(dtype=tf.int32)
    },
  )[0]
  assert row["decoder_input_tokens"][0] == 5
  assert row["extra"] == [7, 1]


def test_a_length_for_targets_is_needed():
  with pytest.raises(KeyError, match="targets"):
    convert(examples(1), {"inputs": 5})
  assert loss_groups.COUNT == 4


PAIR = {"inputs": [7, 1], "targets": [3, 1], "loss_groups": [1, 1]}


def pairs(*seconds):
  """Returns examples of one label and each of these second views."""
  content = [
    PAIR
    | {
      "rationale_inputs": [8, 8, 1] if asked else [1],
      "rationale_targets": targets,
      "rationale_loss_groups": [2] * len(targets),
    }
    for asked, targets in seconds
  ]
  return tf.data.Dataset.from_generator(
    lambda: content, output_signature=dict.fromkeys(content[0], TOKENS)
  )


def test_a_pair_is_two_rows_one_after_the_other():
  long = [*range(3, 12), 1]
  rows = convert(pairs((True, long), (True, [1]), (False, [1])), pack=False)
  # The last was not asked about: it is one row, to be scored.
  assert [row["decoder_loss_groups"] for row in rows] == [
    *([1, 1, 0, 0, 0, 0, 0], [2] * 7),
    *([1, 1, 0, 0, 0, 0, 0], [0] * 7),
    [1, 1, 0, 0, 0, 0, 0],
  ]
  assert rows[0]["encoder_input_tokens"] == [7, 1, 0, 0, 0]
  assert rows[1]["encoder_input_tokens"] == [8, 8, 1, 0, 0]
  assert rows[1]["decoder_target_tokens"] == long[:7]
  # An empty rationale is padding, and weighs nothing.
  assert all(not any(values) for values in rows[3].values())


def test_a_pair_cannot_be_packed():
  with pytest.raises(UserError, match="cannot be packed") as error:
    convert(pairs((True, [4, 1])), pack=True)
  assert "PACK=False" in error.value.remedy


def test_lengths_of_a_second_view_are_those_of_the_first():
  lengths = LENGTHS | {"rationale_inputs": 99, "rationale_targets": 99}
  assert convert(pairs((True, [4, 1])), lengths, pack=False) == convert(
    pairs((True, [4, 1])), pack=False
  )
