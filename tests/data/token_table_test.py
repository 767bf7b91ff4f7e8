"""A table of tokens gives the batches that reading at every visit gives."""

import contextlib

import numpy as np
import pytest
import seqio

from distill.data import methods, pipeline, token_table
from distill.data.feature_converters import LossGroupFeatureConverter

pytestmark = pytest.mark.usefixtures("byte_vocabulary")
LENGTHS = {"inputs": 64, "targets": 64}
SO = " So the answer is "
SAID = {
  "a b": [f"r1.{SO}b.", f"r2.{SO}a.", f"r3.{SO}b."],
  "c d": [f"s1.{SO}c.", f"s2.{SO}e.", f"s3.{SO}c."],
  "e f": ["I do not know."] * 3,
}


@pytest.fixture(scope="module")
def family(toy, tmp_path_factory):
  folder = tmp_path_factory.mktemp("caches")
  toy.cache(folder / "toy", teacher=toy.Teacher(SAID), samples=3)
  with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
    patch.setenv("DISTILL_DATA_DIR", str(folder))
    stack.enter_context(toy.registered(toy.Dataset()))
    yield "toy"


def batches(name, **changes):
  settings = {"batch_size": 4, "shuffle": True, "seed": 3, "split": "train"}
  return pipeline.TrainBatches(
    pipeline.DatasetConfig(
      mixture_or_task_name=name,
      task_feature_lengths=LENGTHS,
      **settings | changes,
    )
  )


def read_at_every_visit(name, pack, count):
  """Returns batches of SeqIO's own stream, with nothing kept."""
  dataset = seqio.get_mixture_or_task(name).get_dataset(
    LENGTHS, "train", shuffle=True, seed=3, num_epochs=None
  )
  converted = LossGroupFeatureConverter(pack=pack)(dataset, LENGTHS)
  return list(converted.batch(4).take(count).as_numpy_iterator())


def assert_same(left, right):
  for a, b in zip(left, right, strict=True):
    assert a.keys() == b.keys()
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])


# What is drawn anew at every visit has no table.
DRAWN = ("toy_scotd",)
TRAINED = sorted({f"toy{m.train}" for m in methods.METHODS.values() if m.train})


@pytest.mark.long
@pytest.mark.parametrize("name", TRAINED)
def test_every_method_has_the_batches_of_seqio(family, name):
  source = batches(name)
  found = [next(source) for _ in range(20)]
  assert_same(found, read_at_every_visit(name, False, 20))
  assert source.position()["from_table"] == (name not in DRAWN)


def test_packed_with_the_targets_of_others(family):
  """Others are of windows of 1,000 examples, which are no whole epochs."""
  name = "toy_step_by_step_shuffled"
  source = batches(name, pack=True)
  found = [next(source) for _ in range(15)]
  assert source.position()["from_table"]
  assert_same(found, read_at_every_visit(name, True, 15))


def test_a_position_of_a_reader_without_a_table_is_read(
  family, monkeypatch, caplog
):
  """As in checkpoints of earlier versions, which do not say `from_table`."""
  with monkeypatch.context() as patch:
    patch.setattr(token_table, "MOST_EXAMPLES", 0)
    earlier = batches("toy_step_by_step")
    [next(earlier) for _ in range(7)]
    position = earlier.position()
    assert not position.pop("from_table")
  present = batches("toy_step_by_step")
  present.restore(position)
  assert "reading past 7 batches" in caplog.text
  assert_same([next(present)], [next(earlier)])


def test_a_set_beyond_the_limit_is_read_at_every_visit(family, monkeypatch):
  """Three records for labels and three for rationales are six."""
  monkeypatch.setattr(token_table, "MOST_EXAMPLES", 5)
  assert not batches("toy_step_by_step").position()["from_table"]


def test_shuffled_files_are_read_at_every_visit(toy, tmp_path, monkeypatch):
  dataset = toy.Dataset("sharded")
  toy.cache(tmp_path / "sharded", dataset, num_shards=2)
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  with toy.registered(dataset):
    source = batches("sharded_rationale")
    assert not source.position()["from_table"]
    in_order = batches("sharded_rationale", shuffle=False)
    assert in_order.position()["from_table"]
