"""Rows come from where they are now, in parts, and from where one stopped."""

import gin
import pytest
import seqio
import tensorflow as tf

from distill.data import examples, sources
from distill.errors import UserError


@pytest.fixture
def source(toy, tmp_path, monkeypatch):
  """Returns the source of seven cached rows in three shards."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  dataset = seven(toy)
  teacher = toy.Teacher({q: "So the answer is b." for q, _ in dataset.rows})
  toy.cache(tmp_path / "toy", dataset, teacher=teacher, num_shards=3)
  return sources.TeacherSource(dataset)


def seven(toy):
  return toy.Dataset(rows=tuple((f"q{i}", "b") for i in range(7)))


def task_of(source):
  return seqio.Task("t", source=source, output_features={}, preprocessors=[])


def inputs(dataset):
  return [row["input"].numpy().decode() for row in dataset]


def test_both_sources_give_the_same_fields(toy, source):
  cached = next(iter(source.get_dataset("train", shuffle=False)))
  plain = next(iter(source.get_dataset("test", shuffle=False)))
  assert cached.keys() == plain.keys()
  for key in cached:
    assert cached[key].dtype == plain[key].dtype
    assert cached[key].shape.rank == plain[key].shape.rank
  assert source.num_input_examples("train") == 7
  assert source.num_input_examples("test") == 7
  assert sources.DatasetSource(seven(toy)).num_input_examples("train") == 7


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_are_disjoint_and_whole(source, split, parts):
  seen = []
  for index in range(parts):
    part = task_of(source).get_dataset(
      split=split, shuffle=False, shard_info=seqio.ShardInfo(index, parts)
    )
    seen += inputs(part)
  assert sorted(seen) == [f"q{i}" for i in range(7)]


def test_a_seed_is_an_order(source):
  def order(seed):
    dataset = task_of(source).get_dataset(split="train", seed=seed)
    return inputs(dataset)

  orders = [order(seed) for seed in (1, 1, 2, 3)]
  assert orders[0] == orders[1]
  assert len({tuple(one) for one in orders}) > 1
  assert all(sorted(one) == [f"q{i}" for i in range(7)] for one in orders)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("taken", [1, 10])
def test_a_saved_position_goes_on_exactly(source, tmp_path, split, taken):
  def rows():
    dataset = task_of(source).get_dataset(split=split, seed=3, num_epochs=None)
    return iter(dataset)

  first = rows()
  for _ in range(taken):
    next(first)
  path = tf.train.Checkpoint(rows=first).write(str(tmp_path / "position"))
  expected = [next(first)["input"].numpy() for _ in range(12)]
  second = rows()
  tf.train.Checkpoint(rows=second).read(path).assert_consumed()
  assert [next(second)["input"].numpy() for _ in range(12)] == expected


def test_the_folder_is_the_one_named_now(toy, source, tmp_path, monkeypatch):
  other = toy.Dataset(rows=(("elsewhere", "b"),))
  teacher = toy.Teacher({"elsewhere": "So the answer is b."})
  toy.cache(tmp_path / "2" / "toy", other, teacher=teacher)
  assert len(inputs(source.get_dataset("train", shuffle=False))) == 7
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path / "2"))
  assert inputs(source.get_dataset("train", shuffle=False)) == ["elsewhere"]


def test_a_rewritten_cache_is_seen(toy, source, tmp_path):
  assert len(inputs(source.get_dataset("train", shuffle=False))) == 7
  other = toy.Dataset(rows=(("anew", "b"),))
  teacher = toy.Teacher({"anew": "So the answer is b."})
  toy.cache(tmp_path / "toy", other, teacher=teacher, overwrite=True)
  assert inputs(source.get_dataset("train", shuffle=False)) == ["anew"]
  assert source.num_input_examples("train") == 1


def select(**options):
  lines = [f"selection.Selection.{key} = {v!r}" for key, v in options.items()]
  with gin.unlock_config():
    gin.parse_config(
      [
        "from __gin__ import dynamic_registration",
        "from distill.data import selection",
        *lines,
      ]
    )


@pytest.fixture
def unselected():
  gin.clear_config()
  yield
  gin.clear_config()


@pytest.mark.usefixtures("unselected")
def test_labels_and_rationales_are_of_the_same_selected_examples(toy, source):
  select(num_examples=3, seed=5)
  plain = sources.DatasetSource(seven(toy))
  chosen = inputs(plain.get_dataset("train", shuffle=False))
  assert len(chosen) == 3
  assert inputs(source.get_dataset("train", shuffle=False)) == chosen
  assert plain.num_input_examples("train") == 3
  assert source.num_input_examples("train") == 3
  for one in (plain, source):
    assert len(inputs(one.get_dataset("test", shuffle=False))) == 7
    assert one.num_input_examples("test") == 7
  parts = [
    inputs(
      task_of(source).get_dataset(
        split="train", shuffle=False, shard_info=seqio.ShardInfo(i, 2)
      )
    )
    for i in range(2)
  ]
  assert sorted(sum(parts, [])) == sorted(chosen)


@pytest.mark.usefixtures("unselected")
def test_a_selected_position_goes_on_exactly(source, tmp_path):
  select(fraction=0.5)
  test_a_saved_position_goes_on_exactly(source, tmp_path, "train", 5)


@pytest.mark.usefixtures("unselected")
def test_what_the_cache_lacks_is_there_without_answers(
  toy, tmp_path, monkeypatch
):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  part = toy.Dataset(rows=toy.Dataset().rows[:2])
  toy.cache(tmp_path / "toy", part)
  whole = sources.TeacherSource(toy.Dataset(), whole=True)
  rows = list(whole.get_dataset("train", shuffle=False).as_numpy_iterator())
  assert [row["label"] for row in rows] == [b"b", b"d", b"f"]
  assert [row["rationales"].tolist() for row in rows] == [
    *([b"The last is b."], [b"The last is c."], [b""])
  ]
  assert whole.num_input_examples("train") == 3
  # In part, the cache alone has rows.
  some = sources.TeacherSource(toy.Dataset())
  select(num_examples=3)
  assert len(inputs(some.get_dataset("train", shuffle=False))) == 2


@pytest.mark.usefixtures("unselected")
def test_every_task_has_the_curriculum_s_order(toy, tmp_path, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  said = {
    "a b": "One two three. So the answer is b.",
    "c d": "I do not know.",
    "e f": "One. So the answer is x.",
  }
  toy.cache(tmp_path / "toy", teacher=toy.Teacher(said))
  both = (
    sources.DatasetSource(toy.Dataset()),
    sources.TeacherSource(toy.Dataset()),
  )
  orders = {
    "rationale_length": ["e f", "a b", "c d"],
    "teacher_agreement": ["a b", "c d", "e f"],
  }
  for curriculum, order in orders.items():
    select(curriculum=curriculum)
    for one in both:
      assert inputs(one.get_dataset("train", shuffle=False)) == order
      assert inputs(one.get_dataset("test")) == ["a b", "c d", "e f"]
      with pytest.raises(UserError, match="SHUFFLE=False"):
        one.get_dataset("train", shuffle=True)


@pytest.mark.usefixtures("unselected")
def test_records_under_other_ids_are_selected_by_their_input(toy, source):
  # An import of an earlier version kept the ids of its own rows.
  others = [
    examples.Example(f"row {e.input}", e.input, e.label)
    for e in seven(toy).examples("train")
  ]

  class Renamed(type(seven(toy))):
    def examples(self, split):
      return others

  teacher = toy.Teacher({e.input: "So the answer is b." for e in others})
  directory = sources.lookup.cache_root() + "/toy"
  toy.cache(directory, Renamed(), teacher=teacher, overwrite=True)
  select(num_examples=3, seed=5)
  plain = sources.DatasetSource(seven(toy))
  chosen = inputs(plain.get_dataset("train", shuffle=False))
  assert inputs(source.get_dataset("train", shuffle=False)) == chosen


def test_the_content_of_a_cache_changes_with_its_rationales(
  toy, source, tmp_path
):
  before = source.content("train")
  assert before["cache"]["teacher"] == "list"
  assert source.content("train") == before and source.content("test") == {}
  dataset = seven(toy)
  answers = {q: "Why not? So the answer is b." for q, _ in dataset.rows}
  teacher = toy.Teacher(answers)
  toy.cache(tmp_path / "toy", dataset, teacher=teacher, overwrite=True)
  after = source.content("train")
  # The same questions, and other rationales.
  assert after["cache"]["data_sha256"] == before["cache"]["data_sha256"]
  assert after["cache"]["shards_sha256"] != before["cache"]["shards_sha256"]


def test_the_content_of_a_dataset_is_that_of_its_rows(toy):
  def content(dataset):
    source = sources.DatasetSource(dataset)
    source.get_dataset("train")
    return source.content("train")

  dataset = seven(toy)
  assert content(dataset) == content(seven(toy)) != {}
  other = toy.Dataset(rows=(*dataset.rows[:-1], ("q6", "c")))
  assert content(other) != content(dataset)
