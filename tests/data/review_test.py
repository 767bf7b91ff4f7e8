"""A reader's marks: read, refused with a reason, and applied."""

import json

import pytest

from distill import errors
from distill.data import review
from distill.data.cache.records import Record


def line(place=0, mark="good", **fields):
  return json.dumps(
    {"task": "toy", "split": "train", "id": "a", "place": place, "mark": mark}
    | fields
  )


def marks_of(tmp_path, *lines):
  path = tmp_path / "review.jsonl"
  path.write_text("\n".join(lines) + "\n")
  return review.read_marks(path, "toy", "train")


def test_the_last_mark_of_an_answer_counts(tmp_path):
  lines = (line(), line(1, "bad"), line(mark="bad"), line(split="test"))
  assert marks_of(tmp_path, *lines) == {("a", 0): "bad", ("a", 1): "bad"}


@pytest.mark.parametrize(
  ("lines", "says"),
  [
    (["{"], "line 1 is no mark"),
    ([line(), "[]"], "line 2 is no mark"),
    ([line(mark="great")], "line 1 is no mark"),
    ([line(place="0")], "line 1 is no mark"),
    ([line(split="test")], "marks of toy, test"),
    ([line(mark="")], "no mark"),
  ],
)
def test_what_is_no_mark_is_an_error(tmp_path, lines, says):
  with pytest.raises(errors.UserError) as caught:
    marks_of(tmp_path, *lines)
  assert says in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path):
  with pytest.raises(errors.UserError, match="cannot be read"):
    review.read_marks(tmp_path / "none", "toy", "train")


def test_bad_answers_go_and_the_golden_filter_keeps_good_ones():
  row = Record(
    *("a", "in", "x", ("r",) * 3, ("x",) * 3, (1,) * 3, ("stop",) * 3),
    *(("t",) * 3, (0,) * 3, (-1,) * 3),
  )
  marks = {("a", 0): "good", ("a", 1): "bad"}
  assert review.filter_by(marks, only_good=False)(row, [0, 1, 2]) == [0, 2]
  assert review.filter_by(marks, only_good=True)(row, [0, 1, 2]) == [0]
