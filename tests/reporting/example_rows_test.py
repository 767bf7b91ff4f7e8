"""The browser's rows: who said what about which example."""

import json

import hypothesis
import pytest
from hypothesis import strategies

from distill import errors
from distill.reporting import example_rows, material


@pytest.fixture(scope="module")
def rows(grid_folder):
  found = material.read([grid_folder])
  caches = [example_rows.open_cache(path, ()) for path in found.caches]
  return example_rows.rows(caches, found.evaluations)


def test_a_row_has_the_answers_of_all(rows, examples):
  assert [row["id"] for row in rows] == [one.id for one in examples]
  row, example = rows[3], examples[3]
  assert (row["task"], row["split"]) == ("last_letters", "test")
  assert (row["input"], row["gold"]) == (example.input, example.label)
  [answer] = row["teachers"]
  assert (answer["label"], answer["agrees"]) == (example.label, 1)
  assert (answer["place"], answer["marks"]) == (0, [])
  label_only, student = row["students"]
  assert label_only["student"] == "finetune, 125 examples"
  assert student["rationale"] == "step_by_step says"
  assert student["seeds"] in ("0 of 2", "1 of 2", "2 of 2")
  assert (student["label"] == example.label) == (student["right"] == 1)


def test_flaws_are_marked(rows):
  marks = [row["teachers"][0]["marks"] for row in rows[:3]]
  assert marks[1] == ["truncated", "short"]
  assert rows[0]["teachers"][0]["agrees"] == 0
  assert rows[1]["teachers"][0]["finish"] == "length"


def test_the_longest_family_owns_a_task():
  families = {"svamp", "svamp_equations", "esnli"}
  family_of = example_rows.family_of
  assert family_of("svamp_equations_label", families) == "svamp_equations"
  assert family_of("esnli_label", families) == "esnli"
  assert family_of("mine", families) == "mine"


def test_a_folder_without_a_manifest_is_no_cache(tmp_path):
  with pytest.raises(errors.UserError, match="is no cache"):
    example_rows.open_cache(tmp_path, ())


@hypothesis.given(strategies.text())
def test_no_text_ends_the_script_that_holds_it(text):
  script = example_rows.as_script([text])
  assert not set("<>&\u2028\u2029") & set(script)
  assert json.loads(script) == [text]
