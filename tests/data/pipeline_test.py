"""Batches are a function of data, seed and step; bad data is named."""

import base64
import json
import zlib

import numpy as np
import pytest
import seqio
import tensorflow as tf

from distill import errors
from distill.data import dataset_checks, pipeline

VOCABULARY = seqio.ByteVocabulary()
FEATURES = {
  name: seqio.Feature(VOCABULARY, dtype=tf.int32)
  for name in ("inputs", "targets")
}


def rows(count, word):
  return {
    "inputs": [f"{word} {i}" * (1 + i % 3) for i in range(count)],
    "targets": [f"{word[0]}{i}" for i in range(count)],
  }


ALPHA = rows(50, "alpha")


def register(name, source, *first):
  seqio.TaskRegistry.add(
    name,
    source=source,
    preprocessors=[
      *first,
      seqio.preprocessors.tokenize,
      seqio.preprocessors.append_eos,
    ],
    output_features=FEATURES,
  )


def doubled(dataset):
  def double(row):
    # AutoGraph makes a `tf.cond` of it.
    if tf.strings.length(row["targets"]) == 2:
      targets = row["targets"] + row["targets"]
    else:
      targets = row["targets"]
    return {"inputs": row["inputs"], "targets": targets}

  return dataset.map(double)


def slices(values):
  def dataset_fn(split, shuffle_files=False, seed=None):
    return tf.data.Dataset.from_tensor_slices(values)

  return seqio.FunctionDataSource(dataset_fn, splits=["train"])


def generated(split, shuffle_files=False, seed=None):
  spec = {name: tf.TensorSpec((), tf.string) for name in FEATURES}
  values = rows(40, "generated")
  examples = [
    dict(zip(values, row, strict=True))
    for row in zip(*values.values(), strict=True)
  ]
  return tf.data.Dataset.from_generator(
    lambda: iter(examples), output_signature=spec
  )


@pytest.fixture(scope="module", autouse=True)
def tasks(tmp_path_factory):
  register("pipeline_alpha", slices(ALPHA))
  register("pipeline_beta", slices(rows(30, "beta")))
  register("pipeline_doubled", slices(rows(12, "alpha")), doubled)
  empty = tf.constant([], tf.string)
  register("pipeline_empty", slices({"inputs": empty, "targets": empty}))
  register(
    "pipeline_generated",
    seqio.FunctionDataSource(generated, splits=["train"]),
  )
  seqio.MixtureRegistry.add(
    "pipeline_mixture", ["pipeline_alpha", "pipeline_beta"], default_rate=1
  )
  file = tmp_path_factory.mktemp("records") / "cut.tfrecord"
  with tf.io.TFRecordWriter(str(file)) as writer:
    writer.write(b"x" * 100)
  file.write_bytes(file.read_bytes()[:50])
  register(
    "pipeline_cut",
    seqio.FunctionDataSource(
      lambda split, shuffle_files=False, seed=None: tf.data.TFRecordDataset(
        str(file)
      ).map(lambda record: {"inputs": record, "targets": record}),
      splits=["train"],
    ),
  )


def config(**changes):
  settings = {
    "mixture_or_task_name": "pipeline_mixture",
    "task_feature_lengths": {"inputs": 32, "targets": 16},
    "split": "train",
    "batch_size": 4,
    "shuffle": True,
    "seed": 3,
    "pack": True,
  }
  return pipeline.DatasetConfig(**settings | changes)


def take(batches, count):
  return [next(batches) for _ in range(count)]


def assert_same(left, right):
  for a, b in zip(left, right, strict=True):
    assert a.keys() == b.keys()
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])


def test_the_sequence_depends_on_the_seed_and_never_on_the_clock():
  first = take(pipeline.TrainBatches(config(seed=None, pack=False)), 3)
  again = take(pipeline.TrainBatches(config(seed=None, pack=False)), 3)
  assert_same(first, again)
  other = take(pipeline.TrainBatches(config(seed=1, pack=False)), 3)
  assert any(
    (a["encoder_input_tokens"] != b["encoder_input_tokens"]).any()
    for a, b in zip(first, other, strict=True)
  )


@pytest.mark.parametrize("pack", [True, False])
def test_functions_of_others_may_use_python_s_if_on_tensors(pack):
  name = "pipeline_doubled"
  settings = config(
    mixture_or_task_name=name, shuffle=False, pack=pack, batch_size=2
  )
  [batch] = take(pipeline.TrainBatches(settings), 1)
  text = VOCABULARY.decode(batch["decoder_target_tokens"][0].tolist())
  assert text.startswith("a0a0")


@pytest.mark.parametrize("pack, consumed", [(True, 0), (False, 40)])
def test_a_position_continues_after_the_last_batch_returned(pack, consumed):
  # 40 batches of 4 are two epochs, and TensorFlow has read ahead of them.
  batches = pipeline.TrainBatches(config(pack=pack))
  take(batches, consumed)
  position = json.loads(json.dumps(batches.position()))
  assert position["batches"] == consumed
  following = take(batches, 5)
  again = pipeline.TrainBatches(config(pack=pack))
  again.restore(position)
  assert_same(following, take(again, 5))
  assert again.position()["batches"] == consumed + 5

  batch = following[0]
  assert {name: batch[name].shape for name in batch} == batches.shapes
  assert batch["encoder_input_tokens"].shape == (4, 32)
  assert all(array.dtype == np.int32 for array in batch.values())
  assert ("decoder_segment_ids" in batch) == pack


@pytest.mark.parametrize("name", ["pipeline_alpha", "pipeline_generated"])
def test_a_state_that_does_not_fit_is_replaced_by_reading_again(name, caplog):
  unpacked = config(mixture_or_task_name=name, pack=False)
  batches = pipeline.TrainBatches(unpacked)
  take(batches, 7)
  position = batches.position()
  if name == "pipeline_alpha":
    position["iterator"]["tensorflow"] = "1.0"
  else:
    assert position["iterator"] is None, "a Python generator has no state"
  again = pipeline.TrainBatches(unpacked)
  again.restore(position)
  assert "reading past 7 batches" in caplog.text
  assert_same(take(batches, 3), take(again, 3))


def test_another_dataset_does_not_take_the_saved_iterator(caplog):
  batches = pipeline.TrainBatches(config(pack=False))
  larger = pipeline.TrainBatches(config(pack=False, batch_size=8))
  larger.restore(batches.position())
  assert "another dataset" in caplog.text
  assert next(larger)["encoder_input_tokens"].shape == (8, 32)


def test_other_data_of_the_same_name_does_not_take_the_saved_iterator(caplog):
  batches = pipeline.TrainBatches(config(pack=False))
  take(batches, 3)
  position = json.loads(json.dumps(batches.position()))
  ALPHA["inputs"][-1] += " changed"
  try:
    again = pipeline.TrainBatches(config(pack=False))
    again.restore(position)
  finally:
    ALPHA.update(rows(50, "alpha"))
  assert "another dataset (examples_sha256 changed)" in caplog.text
  assert again.position()["batches"] == 3


def test_another_vocabulary_does_not_take_the_saved_iterator(caplog):
  batches = pipeline.TrainBatches(config(pack=False))
  position = json.loads(json.dumps(batches.position()))
  for identity in position["dataset"]["vocabularies"].values():
    identity["sha256"] = "0" * 64
  pipeline.TrainBatches(config(pack=False)).restore(position)
  assert "another dataset (vocabularies changed)" in caplog.text


def test_a_position_without_checksums_is_still_restored(caplog):
  """Checkpoints of earlier versions hold no checksums."""
  batches = pipeline.TrainBatches(config(pack=False))
  take(batches, 3)
  position = json.loads(json.dumps(batches.position()))
  for name in ("examples_sha256", "vocabularies", "sources"):
    del position["dataset"][name]
  again = pipeline.TrainBatches(config(pack=False))
  again.restore(position)
  assert not caplog.text
  assert_same(take(batches, 3), take(again, 3))


@pytest.mark.parametrize(
  "changes, words",
  [
    (
      {"task_feature_lengths": {"inputs": 32, "targets": 3}},
      ["pipeline_mixture", "at least 4", "TRUNCATE_TARGETS"],
    ),
    ({"mixture_or_task_name": "pipeline_empty"}, ["is empty"]),
    ({"mixture_or_task_name": "pipeline_alpa"}, ["pipeline_alpha", "MODULE"]),
    ({"mixture_or_task_name": "pipeline_cut"}, ["cannot be read"]),
    ({"module": "no_such.module"}, ["no_such.module", "PYTHONPATH"]),
    ({"split": "test"}, ["no split 'test'", "train"]),
    ({"task_feature_lengths": {"inputs": 32}}, ["'targets'"]),
  ],
)
def test_bad_data_is_named_before_the_first_batch(changes, words):
  with pytest.raises(errors.UserError) as caught:
    pipeline.TrainBatches(config(**changes))
  for word in words:
    assert word in str(caught.value)


def test_long_targets_may_be_cut_when_asked_for():
  lengths = {"inputs": 32, "targets": 3}
  batches = pipeline.TrainBatches(
    config(task_feature_lengths=lengths, truncate=True, pack=False)
  )
  assert next(batches)["decoder_target_tokens"].shape == (4, 3)


def test_long_inputs_are_cut_with_one_warning_that_counts_them(caplog):
  pipeline.TrainBatches(
    config(
      mixture_or_task_name="pipeline_beta",
      pack=False,
      task_feature_lengths={"inputs": 16, "targets": 16},
    )
  )
  # 'beta i' thrice and EOS: 19 bytes or more; twice at most 15.
  messages = [record.getMessage() for record in caplog.records]
  assert [message for message in messages if "looked at" in message] == [
    "inputs of 10 of 30 examples looked at in task 'pipeline_beta' are longer "
    "than 16 and are cut (longest: 22)."
  ]


def test_a_vocabulary_that_the_model_cannot_embed_is_refused():
  dataset_checks.check_vocabulary(config().provider(), VOCABULARY.vocab_size)
  with pytest.raises(errors.UserError, match="vocab_size = 258"):
    dataset_checks.check_vocabulary(config().provider(), 258)


def test_the_look_at_the_data_is_bounded(monkeypatch):
  monkeypatch.setattr(dataset_checks, "EXAMPLES_LOOKED_AT", 10)
  # The first five targets of each task fit; later ones are not looked at.
  lengths = {"inputs": 32, "targets": 3}
  pipeline.TrainBatches(config(task_feature_lengths=lengths, pack=False))


def numbers(count=50):
  """Shuffled, repeated, in batches: all that a position has to cover."""
  dataset = tf.data.Dataset.range(count).shuffle(20, seed=3).repeat()
  return iter(dataset.batch(4).prefetch(2))


def take_rows(iterator, count):
  return [next(iterator).numpy().tolist() for _ in range(count)]


@pytest.mark.parametrize("consumed", [0, 1, 13])
def test_the_next_elements_are_those_of_the_iterator_that_was_packed(consumed):
  first, second = numbers(), numbers()
  take_rows(first, consumed)
  state = json.loads(json.dumps(pipeline.pack_iterator(first)))
  take_rows(second, 5)  # wherever the other one was
  assert pipeline.unpack_iterator(state, second)
  assert take_rows(second, 6) == take_rows(first, 6)


def test_packing_takes_no_element_away():
  first, second = numbers(), numbers()
  pipeline.pack_iterator(first)
  assert take_rows(first, 3) == take_rows(second, 3)


def test_a_state_that_does_not_fit_is_said_so():
  state = pipeline.pack_iterator(numbers())
  assert not pipeline.unpack_iterator(None, numbers())
  assert not pipeline.unpack_iterator(state | {"tensorflow": "1.0"}, numbers())
  lost = {n: t for n, t in state["files"].items() if n.endswith(".index")}
  assert not pipeline.unpack_iterator(state | {"files": lost}, numbers())


def test_python_generators_have_no_state():
  spec = tf.TensorSpec((), tf.int32)
  dataset = tf.data.Dataset.from_generator(
    lambda: iter([1]), output_signature=spec
  )
  assert pipeline.pack_iterator(iter(dataset)) is None


def test_a_forged_file_name_writes_nothing_elsewhere(tmp_path):
  state = pipeline.pack_iterator(numbers())
  target = tmp_path / "forged"
  text = base64.b64encode(zlib.compress(b"evil")).decode()
  state["files"][f"../..{target}"] = text
  assert pipeline.unpack_iterator(state, numbers())
  assert not target.exists()
