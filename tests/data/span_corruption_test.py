"""Span corruption by hand, and the text that the task is made from."""

import pathlib

import gin
import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from distill import gin_run
from distill.data import pipeline, span_corruption, spans
from distill.data.span_corruption import SpanCorruption
from distill.errors import UserError

PIECES = (
  pathlib.Path(seqio.__file__).parent
  / "test_data/sentencepiece/sentencepiece.model"
)
LENGTHS = {"inputs": 20, "targets": 12}


@pytest.mark.parametrize(
  "lost, inputs, targets",
  [
    # One span: two tokens after the second.
    ("..xx....", [10, 11, 99, 14, 15, 16, 17], [99, 12, 13, 98]),
    # T5's form: it begins with a kept span and ends with a lost one.
    (".x..xxxx", [10, 99, 12, 13, 98], [99, 11, 98, 14, 15, 16, 17]),
    # The targets begin with the first lost span, since no kept one does.
    ("xx.x...x", [99, 12, 98, 14, 15, 16, 97], [10, 11, 99, 13, 98, 17]),
  ],
)
def test_sentinels_stand_for_spans_from_the_last_id_down(lost, inputs, targets):
  tokens = np.arange(10, 18)[np.newaxis]
  mask = np.array([[mark == "x" for mark in lost]])
  for which, expected in ((mask, inputs), (~mask, targets)):
    found = spans.spans_as_sentinels(tokens, which, 100)
    np.testing.assert_array_equal(found, [expected])
    found = span_corruption.spans_as_sentinels(
      tf.constant(tokens), tf.constant(which), 100
    )
    np.testing.assert_array_equal(found, [expected])


@pytest.mark.parametrize(
  "corruption, lengths, pieces",
  [
    # T5: 512 tokens of inputs come from 568 of text, and have 114 of targets.
    (SpanCorruption(files="x"), {"inputs": 512, "targets": 114}, 568),
    (SpanCorruption(files="x"), {"inputs": 512, "targets": 999}, 568),
    # Of 564 tokens, 85 are lost in 28 spans, and their end has no place.
    (SpanCorruption(files="x"), {"inputs": 512, "targets": 113}, 563),
    # ByT5: 1,024 bytes of inputs and 189 of targets.
    (
      SpanCorruption(files="x", mean_span=20.0),
      {"inputs": 1024, "targets": 189},
      1193,
    ),
  ],
)
def test_pieces_are_as_long_as_fits_inputs_and_targets(
  corruption, lengths, pieces
):
  assert corruption.piece_length(lengths) == pieces


@settings(max_examples=30, deadline=None)
@given(
  length=st.integers(2, 300),
  density=st.floats(0.01, 0.99),
  mean=st.floats(1.0, 30.0),
  seed=st.integers(0, 2**31 - 1),
)
def test_a_mask_loses_the_share_in_spans_of_the_mean_length(
  length, density, mean, seed
):
  corruption = SpanCorruption(files="x", density=density, mean_span=mean)
  lost, count = corruption.counts(length)
  assert abs(lost - length * density) <= 1
  seeds = tf.constant([[seed, 0], [seed, 1]])
  for mask in (
    corruption.mask(3, length, seeds).numpy(),
    corruption.noise_mask(3, length, np.random.default_rng(seed)),
  ):
    assert mask.shape == (3, length)
    assert (mask.sum(axis=1) == lost).all()
    assert not mask[:, 0].any() and mask[:, -1].all()
    starts = mask & ~np.pad(mask[:, :-1], [(0, 0), (1, 0)])
    assert (starts.sum(axis=1) == count).all()


def test_every_place_is_lost_about_as_often():
  corruption = SpanCorruption(files="x", density=0.3, mean_span=2.0)
  seeds = tf.constant([[1, 2], [3, 4]])
  for mask in (
    corruption.mask(4000, 40, seeds).numpy(),
    corruption.noise_mask(4000, 40, np.random.default_rng(1)),
  ):
    share = mask.mean(axis=0)
    assert 0.2 < share[5:35].min() and share[5:35].max() < 0.4


def restored(inputs, targets, last):
  """Puts each lost span in the place of its sentinel, and returns the ids."""
  spans, number = {}, -1
  for token in targets:
    if token == last - number - 1:
      number += 1
      spans[number] = []
    else:
      spans[number].append(token)
  whole, number = [], 0
  for token in inputs:
    if number in spans and token == last - number:
      whole += spans[number]
      number += 1
    else:
      whole.append(token)
  return whole


@pytest.fixture
def configured(byte_vocabulary):
  """Returns a function that binds parameters of SpanCorruption."""

  def bind(**parameters):
    with gin.unlock_config():
      gin.parse_config("from distill.data import span_corruption")
      for name, value in parameters.items():
        gin.bind_parameter(f"span_corruption.SpanCorruption.{name}", value)

  yield bind


def config(**changes):
  return pipeline.DatasetConfig(
    mixture_or_task_name="span_corruption",
    task_feature_lengths=LENGTHS,
    split="train",
    batch_size=4,
    shuffle=False,
    **changes,
  )


def test_inputs_and_targets_together_have_the_text_again(configured, tmp_path):
  lines = [f"line {number} says so." for number in range(40)]
  (tmp_path / "a.txt").write_text("\n".join(lines[:20]) + "\n")
  (tmp_path / "b.txt").write_text("\n".join(lines[20:]) + "\n")
  configured(files=str(tmp_path / "*.txt"), density=0.3, mean_span=2.0)
  task = seqio.get_mixture_or_task("span_corruption")
  rows = task.get_dataset(LENGTHS, "train", shuffle=False)
  vocabulary = seqio.ByteVocabulary()
  text = ""
  for row in rows.as_numpy_iterator():
    inputs, targets = (row[name].tolist() for name in ("inputs", "targets"))
    assert inputs.pop() == targets.pop() == vocabulary.eos_id
    assert len(inputs) < 20 and len(targets) < 12
    text += vocabulary.decode(restored(inputs, targets, 258))
  assert len(text) > 0.9 * len("\n".join(lines))
  assert set(text.splitlines()[:-1]) <= set(lines)


def test_a_seed_gives_the_same_batches_and_each_visit_other_spans(
  configured, tmp_path
):
  file = tmp_path / "a.txt"
  file.write_text("the quick brown fox jumps over the lazy dog\n")
  configured(files=[str(file)], density=0.3, mean_span=1.5)

  def rows(**changes):
    batches = pipeline.TrainBatches(config(**changes))
    return [next(batches)["decoder_target_tokens"] for _ in range(3)]

  once, again, other = rows(seed=1), rows(seed=1), rows(seed=2)
  np.testing.assert_array_equal(once, again)
  assert not np.array_equal(once, other)
  assert len({row.tobytes() for batch in once for row in batch}) > 3


@pytest.fixture
def tasks():
  """Registers a task that has a text, and removes it afterwards."""
  source = seqio.FunctionDataSource(
    lambda split, shuffle_files, seed=None: tf.data.Dataset.from_tensors(
      {"text": "all of it is text " * 5, "number": 3}
    ),
    splits=["train"],
  )
  seqio.TaskRegistry.add(
    "texts", source=source, preprocessors=[], output_features={}
  )
  yield
  seqio.TaskRegistry.remove("texts")


def test_a_seqio_task_with_a_text_is_read_in_place_of_files(configured, tasks):
  configured(task="texts")
  batch = next(pipeline.TrainBatches(config()))
  assert batch["encoder_input_tokens"].shape == (4, 20)
  configured(feature="words")
  with pytest.raises(UserError, match="no feature of TEXT_TASK 'words'"):
    pipeline.TrainBatches(config())


@pytest.mark.parametrize(
  "parameters, message",
  [
    ({}, "TEXT_FILES"),
    ({"files": "a", "task": "b"}, "TEXT_FILES"),
    ({"files": "/nowhere/*.txt"}, "patterns of files that exist"),
    ({"files": "a", "density": 0.0}, "NOISE_DENSITY"),
    ({"files": "a", "density": 1.0}, "NOISE_DENSITY"),
    ({"files": "a", "mean_span": 0.5}, "MEAN_SPAN_LENGTH"),
  ],
)
def test_a_macro_that_cannot_be_used_is_a_user_error(
  configured, parameters, message
):
  configured(**parameters)
  with pytest.raises(UserError, match=message):
    pipeline.TrainBatches(config())


def test_a_vocabulary_without_sentinels_is_a_user_error(configured, tmp_path):
  (tmp_path / "a.txt").write_text("a b c\n")
  configured(files=str(tmp_path / "a.txt"))
  dataset = tf.data.Dataset.from_tensors({"text": "a b c"})

  def corrupt(extra_ids):
    vocabulary = seqio.SentencePieceVocabulary(str(PIECES), extra_ids)
    features = {"targets": seqio.Feature(vocabulary)}
    return span_corruption.corrupt(dataset, features, LENGTHS)

  with pytest.raises(UserError, match="at most 0 lost spans(.|\n)*EXTRA_IDS"):
    corrupt(0)
  assert corrupt(100).element_spec.keys() == {"inputs", "targets"}


def test_the_run_file_trains_on_text(tmp_path, monkeypatch):
  (tmp_path / "a.txt").write_text("some text to learn from\n" * 20)
  arguments = gin_run.configure(
    "train",
    [
      *("--gin_file=runs/pretrain.gin", "--gin_file=models/mini_byte.gin"),
      f"--gin.TEXT_FILES={tmp_path}/*.txt",
      "--gin.TASK_FEATURE_LENGTHS={'inputs': 40, 'targets': 20}",
      *(f"--gin.MODEL_DIR={tmp_path}", "--gin.TRAIN_STEPS=1"),
    ],
  )
  bound = gin.get_bindings(arguments)
  assert bound["model"].objective.group_weights == (1.0, 1.0, 1.0, 0.0)
  assert bound["initial_checkpoint_path"] == [] and not bound["eval_period"]
  batch = next(pipeline.TrainBatches(bound["train_dataset_cfg"]))
  assert batch["decoder_target_tokens"].max() == 258
