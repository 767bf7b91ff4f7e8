"""Which rows a split takes: the published index files, where they are."""

import json
import os
import pathlib

import pytest

from distill.data.published import splits
from distill.errors import UserError

REAL = os.environ.get("DISTILL_TEST_DATA", "")
INDICES = pathlib.Path(REAL, "reasoning_teacher", "split")


def test_seventy_thirty_by_hand():
  # RandomState(0).permutation(10) is 2 8 4 9 1 6 7 3 0 5.
  parts = splits.seventy_thirty(10)
  assert parts["train"](10) == [1, 2, 4, 6, 7, 8, 9]
  assert parts["test"](10) == [0, 3, 5]
  parts = splits.eighty_twenty(10)
  assert parts["train"](10) == [2, 8, 4, 9, 1, 6, 7, 3]
  assert parts["test"](10) == [0, 5]
  assert splits.subsample(3)(10) == [2, 4, 8]


def test_other_rows_than_the_published_ones_are_refused():
  # One row less would be another permutation: test rows would be train rows.
  with pytest.raises(UserError, match="published split") as error:
    splits.seventy_thirty(395)["train"](394)
  assert (error.value.expected, error.value.found) == ("395 rows", "394")


def test_a_file_of_indices(tmp_path):
  path = tmp_path / "x__template.json"
  path.write_text(json.dumps({"train": [0, 3], "test": [1, 2]}))
  parts = splits.from_file(str(path))
  assert (parts["train"](4), parts["test"](4)) == ([0, 3], [1, 2])
  with pytest.raises(UserError, match="published split"):
    parts["test"](5)
  for wrong in ('{"train": [0, 3]}', '{"train": [], "test": []}', "[]"):
    path.write_text(wrong)
    with pytest.raises(UserError, match="no file of indices"):
      splits.from_file(str(path))


@pytest.mark.skipif(not REAL, reason="DISTILL_TEST_DATA is not set")
@pytest.mark.parametrize(
  "name, rows",
  [
    ("single_eq", 508),
    ("addsub", 395),
    ("multiarith", 600),
    ("svamp", 1000),
    ("date_understanding", 369),
    ("tracking_shuffled_objects", 750),
    ("strategy_qa", 2290),
    ("coin_flip", 500),
    ("last_letter_concatenation", 500),
  ],
)
def test_the_rule_gives_the_published_index_files(name, rows):
  parts = splits.seventy_thirty(rows)
  published = json.loads((INDICES / f"{name}__default.json").read_text())
  assert {part: parts[part](rows) for part in parts} == published
  assert (
    splits.from_file(str(INDICES / f"{name}__default.json"))["test"](rows)
    == (published["test"])
  )


@pytest.mark.skipif(not REAL, reason="DISTILL_TEST_DATA is not set")
def test_aquas_ten_thousand():
  published = json.loads((INDICES / "aqua__default.json").read_text())
  assert splits.subsample(10_000)(97_467) == published["train"]
