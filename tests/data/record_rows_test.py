"""Rows are the records of examples, with the answers that are selected."""

import pytest
import seqio

from distill.data import record_rows
from distill.data.cache import files, record_index, records
from distill.data.examples import Example
from distill.data.selection import Selection

EXAMPLES = [Example(name, f"{name}?", name) for name in "abcd"]


def record(name, text, *answers):
  count = len(answers)
  return records.Record(
    *(name, text, "gold", answers, tuple(a[:1] for a in answers)),
    *((1,) * count, ("stop",) * count, ("t",) * count),
    *((0,) * count, (-1,) * count),
  )


@pytest.fixture
def index(tmp_path):
  """Returns an index of records by id, by the id before '/', by the input."""
  content = [
    record("c", "c?", "x y", "", "z"),
    record("a/1", "a?", "second"),
    record("row 7", "b?", "by input"),
    record("a", "a?", "first"),
    record("e", "e?", "of no example"),
  ]
  folder = str(tmp_path / "toy")
  options = {"command": "c", "source": "", "flags": "", "overwrite": True}
  files.write_records(folder, "toy", "train", content, **options)
  return record_index.of_cache(folder, "toy", "train")


def rows(index, whole=False, part=None, **options):
  """Returns the id, the rationales and the teacher's labels of each row."""
  dataset = record_rows.of_records(
    index, EXAMPLES, Selection(**options), whole, part
  )
  found = list(dataset.as_numpy_iterator())
  assert dataset.cardinality() == len(found)
  return [
    (
      row["id"].decode(),
      [text.decode() for text in row["rationales"]],
      [text.decode() for text in row["teacher_labels"]],
    )
    for row in found
  ]


ALL = [
  ("a/1", ["second"], ["s"]),
  ("a", ["first"], ["f"]),
  ("row 7", ["by input"], ["b"]),
  ("c", ["x y", "", "z"], ["x", "", "z"]),
]
LACKING = ("d", [""], [""])


def test_records_come_in_the_order_of_their_examples(index):
  assert rows(index) == ALL
  assert rows(index, whole=True) == [*ALL, LACKING]


def test_selected_answers_keep_what_belongs_to_them(index):
  assert rows(index, rationales=2)[3] == ("c", ["x y", "z"], ["x", "z"])
  assert rows(index, max_words=1)[3] == ("c", ["z"], ["z"])


def test_without_an_answer_the_labels_stay(index):
  blank = ("c", ["", "", ""], ["x", "", "z"])
  assert rows(index, min_words=3)[3] == blank
  assert rows(index, coverage=0.0)[3] == blank
  assert rows(index, coverage=0.0, rationales=1)[3] == blank
  assert rows(index, whole=True, min_words=3)[4] == LACKING


@pytest.mark.parametrize("whole", [False, True])
def test_parts_are_every_so_manieth_row(index, whole):
  parts = [rows(index, whole, seqio.ShardInfo(i, 2)) for i in range(2)]
  both = rows(index, whole)
  assert parts == [both[::2], both[1::2]]
