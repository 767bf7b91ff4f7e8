"""CommonsenseQA: the released rows, and what is wrong with a file."""

import json
import os
import pathlib

import pytest

from distill.data.published.commonsense_qa import CommonsenseQa
from distill.errors import UserError

ROW = {"question": "Where?", "choices": ["sea", "land"], "answer": "land"}


def write(folder, *rows):
  text = "".join(json.dumps(row) + "\n" for row in rows)
  (folder / "cqa_test.json").write_text(text)
  return CommonsenseQa(str(folder))


def test_a_row_is_a_question_its_choices_and_the_text_of_one(tmp_path):
  dataset = write(tmp_path, ROW, ROW)
  first, second = dataset.examples("test")
  assert first.input == "Where?\nAnswer Choices:\n(a) sea\n(b) land"
  assert first.label == "land" and second.id == f"{first.id}-1"


def test_what_is_wrong_is_named_down_to_the_row(tmp_path, monkeypatch):
  dataset = write(tmp_path, ROW, {"question": "Where?", "choices": []})
  with pytest.raises(UserError, match=r"Row 1 of .*cqa_test.json is malformed"):
    dataset.examples("test")
  (tmp_path / "cqa_test.json").write_text(json.dumps(ROW) + "\n{")
  with pytest.raises(UserError, match=r"Line 2 of .*cqa_test.json"):
    dataset.examples("test")
  with pytest.raises(UserError, match="cqa_train.json cannot be read"):
    dataset.examples("train")
  with pytest.raises(UserError, match="'dev'"):
    dataset.examples("dev")
  monkeypatch.delenv("DISTILL_RAW_DATA_DIR", raising=False)
  with pytest.raises(UserError, match="DISTILL_RAW_DATA_DIR"):
    CommonsenseQa().examples("test")


@pytest.mark.skipif(
  "DISTILL_TEST_DATA" not in os.environ, reason="DISTILL_TEST_DATA is not set"
)
def test_the_real_files_give_their_published_sizes():
  root = pathlib.Path(os.environ["DISTILL_TEST_DATA"])
  dataset = CommonsenseQa(str(root / "distilling_step_by_step" / "cqa"))
  train, validation, test = map(dataset.examples, dataset.splits)
  assert (len(train) + len(validation), len(test)) == (9741, 1221)
  assert 800 < len(validation) < 1150
  assert not {e.id for e in train} & {e.id for e in validation}
