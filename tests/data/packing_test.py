"""Best-fit packing loses no example, fills rows, and resumes exactly."""

import json

import hypothesis
import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import strategies as st

from distill.data import packing, pipeline
from distill.data.feature_converters import LossGroupFeatureConverter
from distill.errors import UserError

LENGTHS = {"inputs": 12, "targets": 6}


def example(number, inputs, targets, group=1):
  """Returns an example whose tokens all are its own number."""
  return {
    "inputs": np.full(inputs, number, np.int32),
    "targets": np.full(targets, number, np.int32),
    "loss_groups": np.full(targets, group, np.int32),
  }


def test_a_row_by_hand():
  row = packing.pack(
    [
      {"inputs": np.array([5, 6, 1]), "targets": np.array([7, 1])},
      {
        "inputs": np.array([8, 1]),
        "targets": np.array([9, 4, 1]),
        "loss_groups": np.array([2, 2, 2]),
      },
    ],
    (6, 6),
  )
  assert {name: array.tolist() for name, array in row.items()} == {
    "encoder_input_tokens": [5, 6, 1, 8, 1, 0],
    "encoder_segment_ids": [1, 1, 1, 2, 2, 0],
    "encoder_positions": [0, 1, 2, 0, 1, 0],
    "decoder_target_tokens": [7, 1, 9, 4, 1, 0],
    "decoder_input_tokens": [0, 7, 0, 9, 4, 0],
    "decoder_loss_weights": [1, 1, 1, 1, 1, 0],
    "decoder_segment_ids": [1, 1, 2, 2, 2, 0],
    "decoder_positions": [0, 1, 0, 1, 2, 0],
    "decoder_loss_groups": [0, 0, 2, 2, 2, 0],
  }


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2))


@hypothesis.given(st.lists(SIZES, min_size=8, max_size=12))
@hypothesis.settings(max_examples=5)
def test_a_row_is_the_one_that_seqio_makes_of_its_examples(sizes):
  """The converter packs in order; a row's examples fit it in their order."""
  chosen = packing.choose(np.array([s[:2] for s in sizes]), np.array([12, 6]))
  row = [example(i + 2, *sizes[i]) for i in chosen]
  spec = dict.fromkeys(row[0], tf.TensorSpec([None], tf.int32))
  dataset = tf.data.Dataset.from_generator(lambda: row, output_signature=spec)
  [wanted] = LossGroupFeatureConverter(pack=True)(dataset, LENGTHS)
  found = packing.pack(row, (12, 6))
  assert found.keys() == wanted.keys()
  for name in found:
    assert found[name].dtype == np.int32
    np.testing.assert_array_equal(found[name], wanted[name])


@hypothesis.given(st.lists(SIZES, min_size=1, max_size=30))
def test_a_row_has_the_oldest_example_and_no_room_for_another(sizes):
  both = np.array([s[:2] for s in sizes])
  chosen = packing.choose(both, np.array([12, 6]))
  assert chosen[0] == 0 and len(set(chosen)) == len(chosen)
  left = np.array([12, 6]) - both[chosen].sum(axis=0)
  assert (left >= 0).all()
  others = np.delete(both, chosen, axis=0)
  assert not (others <= left).all(axis=1).any()


def test_the_example_that_fills_both_sides_comes_first():
  # (6, 1) and (2, 3) fill 9/12 and 5/6 with the oldest; (6, 3) fills both.
  sizes = np.array([[6, 3], [6, 1], [2, 3], [6, 3]])
  assert packing.choose(sizes, np.array([12, 6])) == [0, 3]


@pytest.fixture(scope="module", autouse=True)
def task():
  """30 examples of other lengths; their targets are their numbers."""
  texts = ["x" * (3 + 7 * i % 19) for i in range(30)]
  rows = {"inputs": texts, "targets": [f"<{i:02}>" for i in range(30)]}
  seqio.TaskRegistry.add(
    "packing_numbers",
    source=seqio.FunctionDataSource(
      lambda split, shuffle_files=False, seed=None: (
        tf.data.Dataset.from_tensor_slices(rows)
      ),
      splits=["train"],
    ),
    preprocessors=[
      seqio.preprocessors.tokenize,
      seqio.preprocessors.append_eos,
    ],
    output_features=dict.fromkeys(
      ("inputs", "targets"), seqio.Feature(seqio.ByteVocabulary())
    ),
  )
  yield
  seqio.TaskRegistry.remove("packing_numbers")


def batches(pack):
  return pipeline.TrainBatches(
    pipeline.DatasetConfig(
      mixture_or_task_name="packing_numbers",
      task_feature_lengths={"inputs": 64, "targets": 28},
      split="train",
      batch_size=4,
      shuffle=True,
      pack=pack,
    )
  )


def numbers(batch):
  """Returns the targets that a batch holds."""
  tokens = batch["decoder_target_tokens"].ravel()
  text = bytes(int(token) - 3 for token in tokens if token > 1).decode()
  return [int(one) for one in text.replace("<", "").split(">") if one]


def test_every_example_comes_as_often_as_the_others_and_rows_are_full():
  source = batches("best_fit")
  read = [next(source) for _ in range(100)]
  assert {name: array.shape for name, array in read[0].items()} == source.shapes
  counts = np.bincount([n for batch in read for n in numbers(batch)])
  # SeqIO's shuffle buffer and the pool hold 1,256 of some 2,000 examples.
  assert len(counts) == 30 and counts.min() > 0.7 * counts.max()

  def padding(some):
    used = [(b[n] > 0).mean() * b[n].size for b in some for n in SIDES]
    return 1 - sum(used) / sum(b[n].size for b in some for n in SIDES)

  in_order = batches(True)
  assert padding(read) < 0.7 * padding([next(in_order) for _ in range(100)])


SIDES = ("encoder_input_tokens", "decoder_target_tokens")


def test_a_resumed_run_packs_the_same_rows(caplog):
  first = batches("best_fit")
  [next(first) for _ in range(7)]
  position = json.loads(json.dumps(first.position()))
  again = batches("best_fit")
  again.restore(position)
  assert "reading past" not in caplog.text
  for _ in range(5):
    left, right = next(first), next(again)
    for name in left:
      np.testing.assert_array_equal(left[name], right[name])


def test_another_word_is_refused():
  with pytest.raises(UserError, match="PACK") as error:
    batches("bestfit")
  assert "'best_fit'" in error.value.expected
