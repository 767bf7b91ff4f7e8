"""Prefixes that the decoder reads: rows worked by hand, and what is refused."""

import json

import gin
import numpy as np
import pytest
import seqio

from distill.data import (
  feature_converters,
  loss_weights,
  methods,
  pipeline,
  prefixes,
)
from distill.errors import UserError

LENGTHS = {"inputs": 8, "targets": 32}
SIDE = """
from __gin__ import dynamic_registration
from distill.data import prefixes
prefixes.prefix_side.side = '{}'
"""


def on(side):
  gin.parse_config(SIDE.format(side))


def read_by(text):
  """Returns ByT5's ids of a text."""
  return [byte + 3 for byte in text.encode()]


ASK, EXPLAIN = read_by("[label] "), read_by("[rationale] ")
B, D, F = read_by("bdf")


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
  folder = tmp_path_factory.mktemp("caches")
  said = {
    "a b": "r. So the answer is b.",
    "c d": "s! So the answer is d.",
    "e f": "I do not know.",
  }
  toy.cache(folder / "toy", teacher=toy.Teacher(said))
  return folder


@pytest.fixture(autouse=True)
def family(byte_vocabulary, toy, folder, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(folder))
  with toy.registered(toy.Dataset()):
    on("decoder")
    yield


def rows(name, split="train", lengths=LENGTHS, pack=False):
  dataset = seqio.get_mixture_or_task(name).get_dataset(
    lengths, split, shuffle=False
  )
  converter = feature_converters.LossGroupFeatureConverter(pack=pack)
  return [
    {key: value.numpy().tolist() for key, value in row.items()}
    for row in converter(dataset, lengths)
  ]


def padded(values, name="targets"):
  return [*values, *[0] * (LENGTHS[name] - len(values))]


@pytest.mark.parametrize(
  ("view", "prefix", "said", "group"),
  [("label", ASK, [B], 1), ("rationale", EXPLAIN, read_by("r."), 2)],
)
def test_a_target_begins_with_the_prefix_which_has_no_loss(
  view, prefix, said, group
):
  row = rows(f"toy_{view}")[0]
  given, learnt = len(prefix), len(said) + 1
  assert row == {
    "encoder_input_tokens": padded([*read_by("a b"), 1], "inputs"),
    "decoder_target_tokens": padded([*prefix, *said, 1]),
    "decoder_input_tokens": padded([0, *prefix, *said, 1]),
    "decoder_loss_weights": padded([0] * given + [1] * learnt),
    "decoder_loss_groups": padded([4] * given + [group] * learnt),
    "decoder_prefix_tokens": padded(prefix),
  }


def test_an_unasked_rationale_is_only_its_prefix_and_the_end():
  row = rows("toy_rationale", "test")[0]
  assert row["decoder_target_tokens"] == padded([*EXPLAIN, 1])
  assert row["decoder_prefix_tokens"] == padded(EXPLAIN)


def test_a_pair_is_one_row_of_two_segments():
  first, _, third = rows("toy_step_by_step_paired")
  label, rationale = [*ASK, B, 1], [*EXPLAIN, *read_by("r."), 1]
  assert first == {
    "encoder_input_tokens": padded([*read_by("a b"), 1], "inputs"),
    "decoder_target_tokens": padded(label + rationale),
    # Each target begins anew.
    "decoder_input_tokens": padded([0, *label[:-1], 0, *rationale[:-1]]),
    "decoder_segment_ids": padded([1] * 10 + [2] * 15),
    "decoder_loss_weights": padded([0] * 8 + [1] * 2 + [0] * 12 + [1] * 3),
    "decoder_loss_groups": padded([4] * 8 + [1] * 2 + [4] * 12 + [2] * 3),
    "decoder_prefix_tokens": padded(ASK),
  }
  # The teacher's answer to the third question has no rationale.
  assert third["decoder_target_tokens"] == padded([*ASK, F, 1])
  assert third["decoder_segment_ids"] == padded([1] * 10)
  count = feature_converters.rows_of_batch("toy_step_by_step_paired", 16)
  assert count == 16


def test_pairs_are_packed_whole():
  lengths = {"inputs": 12, "targets": 64}
  [first] = rows("toy_step_by_step_paired", lengths=lengths, pack=True)
  # Two examples of 4 inputs and 25 targets; the third, of 10, would fit the
  # targets, as its 4 inputs do.
  assert first["encoder_segment_ids"] == [1] * 4 + [2] * 4 + [3] * 4
  assert first["decoder_example_ids"] == [
    *([1] * 25 + [2] * 25),
    *([3] * 10 + [0] * 4),
  ]
  assert first["decoder_segment_ids"] == [
    *([1] * 10 + [2] * 15 + [3] * 10 + [4] * 15),
    *([5] * 10 + [0] * 4),
  ]
  starts = np.flatnonzero(np.diff([0, *first["decoder_segment_ids"]]) > 0)
  assert [first["decoder_input_tokens"][i] for i in starts] == [0] * 5


def batches(lengths, **options):
  return pipeline.TrainBatches(
    pipeline.DatasetConfig(
      mixture_or_task_name="toy_step_by_step_paired",
      task_feature_lengths=lengths,
      split="train",
      batch_size=2,
      shuffle=True,
      **options,
    )
  )


def taken(source, count):
  return [
    {name: array.tolist() for name, array in next(source).items()}
    for _ in range(count)
  ]


def test_packed_pairs_resume_at_the_next_batch(caplog):
  lengths = {"inputs": 12, "targets": 64}
  first = batches(lengths, pack=True)
  taken(first, 3)
  position = json.loads(json.dumps(first.position()))
  following = taken(first, 3)
  again = batches(lengths, pack=True)
  again.restore(position)
  assert taken(again, 3) == following
  assert "reading past" not in caplog.text


def test_both_targets_must_fit_one_row():
  with pytest.raises(UserError, match="do not fit") as error:
    batches({"inputs": 8, "targets": 24})
  assert "at least 25" in error.value.expected


def test_a_position_is_of_one_side(caplog):
  before = batches(LENGTHS)
  taken(before, 2)
  on("input")
  batches(LENGTHS).restore(before.position())
  assert "another dataset" in caplog.text


def test_a_model_card_says_what_stands_in_front_of_an_input():
  task = seqio.get_mixture_or_task("toy_step_by_step")
  assert set(prefixes.input_forms(task).values()) == {"…"}
  on("input")
  assert set(prefixes.input_forms(task).values()) == {
    "[label] …",
    "[rationale] …",
  }


def test_other_methods_keep_their_words_in_the_input():
  [text] = [
    row["inputs_pretokenized"].numpy()
    for row in seqio.get_mixture_or_task("toy_scotd_all")
    .get_dataset({"inputs": 32, "targets": 64}, "train", shuffle=False)
    .take(1)
  ]
  assert text == b"Q: a b\nA: "
  assert "scotd_all" in methods.METHODS


def test_what_cannot_be_is_refused():
  with pytest.raises(UserError, match="two rows") as error:
    loss_weights.alpha_per_example(True, "toy_step_by_step_paired")
  assert "PREFIX_SIDE = 'input'" in error.value.expected
  on("middle")
  with pytest.raises(UserError, match="PREFIX_SIDE") as error:
    prefixes.on_decoder()
  assert "'input' or 'decoder'" in error.value.expected
