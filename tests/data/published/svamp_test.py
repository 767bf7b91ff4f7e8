"""SVAMP: the published split, and what is wrong with a file."""

import json
import os
import pathlib

import pytest

from distill.data.published.svamp import Svamp
from distill.errors import UserError

REAL = os.environ.get("DISTILL_TEST_DATA", "")


def write(folder, rows):
  path = folder / "SVAMP.json"
  path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
  return str(path)


def rows(count=1000):
  return [
    {"Body": f"Body {i}.", "Question": "What?", "Equation": f"( {i} + 1 )"}
    for i in range(count)
  ]


def test_the_split_is_the_published_one_less_a_tenth(tmp_path, monkeypatch):
  (tmp_path / "svamp").mkdir()
  write(tmp_path / "svamp", rows())
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  parts = {split: Svamp().examples(split) for split in Svamp.splits}
  # numpy.random.RandomState(0).permutation(1000) starts 993, 859, 298 and has
  # 152 at place 800.
  assert parts["test"][0].input == "Body 152.\nWhat?"
  assert parts["test"][0].label == "( 152 + 1 )"
  assert parts["train"][0].input == "Body 993.\nWhat?"
  assert len(parts["test"]) == 200
  assert 50 < len(parts["validation"]) < 120
  everything = [e.id for examples in parts.values() for e in examples]
  assert len(everything) == len(set(everything)) == 1000


def test_an_absent_file_is_said_with_the_place_to_put_it(monkeypatch, tmp_path):
  monkeypatch.delenv("DISTILL_RAW_DATA_DIR", raising=False)
  with pytest.raises(UserError, match="DISTILL_RAW_DATA_DIR"):
    Svamp().examples("train")
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  with pytest.raises(UserError, match="svamp/SVAMP.json cannot be read"):
    Svamp().examples("train")


@pytest.mark.parametrize(
  "content, named",
  [
    ("{", "SVAMP.json"),
    ({"rows": []}, "dict"),
    (rows(999), "999"),
    (rows()[:70] + [{"Body": "B", "Question": "Q"}] + rows()[71:], "row 70"),
    (rows()[:70] + ["text"] + rows()[71:], "row 70"),
  ],
)
def test_a_malformed_file_is_named_down_to_the_row(tmp_path, content, named):
  with pytest.raises(UserError, match="malformed") as error:
    Svamp(write(tmp_path, content)).examples("test")
  assert named in str(error.value)


@pytest.mark.skipif(not REAL, reason="DISTILL_TEST_DATA is not set")
def test_the_real_file_gives_the_rows_of_the_papers_release_in_order():
  root = pathlib.Path(REAL)
  released = root / "distilling_step_by_step/svamp"

  def of_release(name):
    lines = (released / name).read_text().splitlines()
    return [
      (row["input"], row["label"]) for row in map(json.loads, lines) if row
    ]

  dataset = Svamp(str(root / "svamp/SVAMP.json"))
  test = [(e.input, e.label) for e in dataset.examples("test")]
  assert test == of_release("svamp_test.json")
  train = {(e.input, e.label) for e in dataset.examples("train")}
  validation = {(e.input, e.label) for e in dataset.examples("validation")}
  assert train | validation == set(of_release("svamp_train.json"))
