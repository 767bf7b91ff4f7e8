"""Rationales of one input in one row: by hand, in streams, what is refused."""

import json

import gin
import numpy as np
import pytest
import seqio

from distill.data import feature_converters, joined_targets, pipeline
from distill.errors import UserError

LENGTHS = {"inputs": 8, "targets": 64}
SHARED = """
from __gin__ import dynamic_registration
from distill.data import joined_targets
joined_targets.share_inputs.wanted = {}
"""


def share(wanted=True):
  gin.parse_config(SHARED.format(wanted))


def read_by(text):
  """Returns ByT5's ids of a text, and the end of sequence."""
  return [*(byte + 3 for byte in text.encode()), 1]


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
  folder = tmp_path_factory.mktemp("caches")
  no = "I do not know."
  said = {
    "a b": [f"{r} So the answer is b." for r in ("r.", "s!", "t?")],
    "c d": ["u. So the answer is d.", no, "v. So the answer is c."],
    "e f": [no, "w. So the answer is f.", no],
  }
  toy.cache(folder / "toy", teacher=toy.Teacher(said), samples=3)
  return folder


@pytest.fixture(autouse=True)
def family(byte_vocabulary, toy, folder, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(folder))
  with toy.registered(toy.Dataset()):
    share()
    yield


def rows(name, split="train", lengths=LENGTHS, pack=False):
  dataset = seqio.get_mixture_or_task(f"toy_{name}").get_dataset(
    lengths, split, shuffle=False
  )
  converter = feature_converters.LossGroupFeatureConverter(pack=pack)
  return [
    {key: value.numpy() for key, value in row.items()}
    for row in converter(dataset, lengths)
  ]


def segments(row):
  """Returns the tokens of each target in a row."""
  numbers = row["decoder_segment_ids"]
  return [
    row["decoder_target_tokens"][numbers == number].tolist()
    for number in range(1, numbers.max() + 1)
  ]


def tokens(row, name):
  return np.trim_zeros(row[name], "b").tolist()


def test_the_rationales_of_an_input_are_segments_of_one_row():
  second = rows("scotd_unfiltered")[1]
  first, last = (
    read_by(f"{said} So the answer is: {label}")
    for said, label in (("u.", "d"), ("v.", "c"))
  )
  lengths = len(first), len(last)
  expected = {
    "encoder_input_tokens": read_by("Q: c d\nA: ")[:8],
    "decoder_target_tokens": first + last,
    # Each target begins anew.
    "decoder_input_tokens": [0, *first[:-1], 0, *last[:-1]],
    "decoder_segment_ids": np.repeat([1, 2], lengths).tolist(),
    "decoder_loss_weights": [1] * sum(lengths),
    "decoder_loss_groups": [],
  }
  assert {name: tokens(second, name) for name in second} == expected


def test_a_shared_row_has_the_targets_of_rows_apart_in_their_order():
  name, lengths = "scotd_unfiltered", {"inputs": 32, "targets": 128}
  together = rows(name, lengths=lengths)
  share(False)
  apart = rows(name, lengths=lengths)
  assert len(together) < len(apart) and "decoder_segment_ids" not in apart[0]
  assert [
    (tokens(row, "encoder_input_tokens"), target)
    for row in together
    for target in segments(row)
  ] == [
    (tokens(row, "encoder_input_tokens"), tokens(row, "decoder_target_tokens"))
    for row in apart
  ]


def test_examples_with_their_rationales_are_packed_whole():
  [row] = rows("scotd_all", lengths={"inputs": 64, "targets": 160}, pack=True)
  assert len(segments(row)) == 3 + 1 + 1
  numbers = row["decoder_segment_ids"]
  examples = row["decoder_example_ids"]
  inputs = row["encoder_segment_ids"]
  owners = [examples[numbers == n].tolist() for n in range(1, 6)]
  assert [set(owner) for owner in owners] == [{1}, {1}, {1}, {2}, {3}]
  assert inputs.max() == 3


def test_wrong_rationales_are_shared_too_and_keep_their_group():
  [row] = rows("rationale_wrong")
  assert segments(row) == [read_by("v.")[:-1]]
  assert tokens(row, "decoder_loss_groups") == [3, 3]


def test_other_splits_and_views_have_one_target_for_each_input():
  for row in rows("scotd_all", "test"):
    assert len(segments(row)) == 1
  assert "decoder_segment_ids" not in rows("step_by_step_paired")[0]


def batches(name="scotd_unfiltered", lengths=None, **options):
  return pipeline.TrainBatches(
    pipeline.DatasetConfig(
      mixture_or_task_name=f"toy_{name}",
      task_feature_lengths=lengths or {"inputs": 16, "targets": 96},
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


def test_shared_rows_resume_at_the_next_batch(caplog):
  first = batches()
  taken(first, 3)
  position = json.loads(json.dumps(first.position()))
  following = taken(first, 3)
  again = batches()
  again.restore(position)
  assert taken(again, 3) == following
  assert position["from_table"] and "reading past" not in caplog.text
  # Rows of one target are another dataset.
  share(False)
  batches().restore(position)
  assert "another dataset" in caplog.text


def test_a_packed_stream_without_a_table_resumes_too(monkeypatch, caplog):
  monkeypatch.setattr("distill.data.token_table.MOST_EXAMPLES", 0)
  first = batches("cot_unlikelihood", pack=True)
  taken(first, 2)
  position = json.loads(json.dumps(first.position()))
  following = taken(first, 2)
  again = batches("cot_unlikelihood", pack=True)
  again.restore(position)
  assert taken(again, 2) == following
  assert not position["from_table"] and "reading past" not in caplog.text


def test_a_table_gives_the_batches_of_the_stream(monkeypatch):
  from_table = taken(batches(), 4)
  monkeypatch.setattr("distill.data.token_table.MOST_EXAMPLES", 0)
  assert taken(batches(), 4) == from_table


def test_all_rationales_of_an_example_must_fit_one_row():
  longest = 3 * len(read_by("r. So the answer is: b"))
  with pytest.raises(UserError, match="do not fit") as error:
    batches(lengths={"inputs": 16, "targets": longest - 1})
  assert f"at least {longest}" in error.value.expected


def test_what_cannot_be_is_refused():
  with pytest.raises(UserError, match="shared inputs") as error:
    batches(pack="best_fit")
  assert "PACK = True, with SHARE_INPUTS = True" in error.value.expected
  share("'always'")
  with pytest.raises(UserError, match="SHARE_INPUTS"):
    joined_targets.shares_inputs()
