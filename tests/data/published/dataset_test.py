"""Published datasets: where rows come from, what is held out, what is said."""

import dataclasses
import json
import sys

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.published import Files, HuggingFace, Published, Tfds, forms
from distill.errors import UserError


def rows(count, start=0):
  return [
    {"question": f"{i} and 1?", "answer": float(i + 1)}
    for i in range(start, start + count)
  ]


def put(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(content if isinstance(content, str) else json.dumps(content))


def word_problems(*sources, **options):
  first, *others = sources
  return Published("toy", forms.word_problem, first, tuple(others), **options)


BOTH = {"train": "train", "test": "test"}
WHOLE = Files("a/{}.json", "example.org/a", BOTH)
PARTS = Files("b/t1.jsonl+b/t2.jsonl", "example.org/b", {"train": ""})


@pytest.fixture
def raw(tmp_path, monkeypatch):
  """The folder that DISTILL_RAW_DATA_DIR names."""
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  return tmp_path


def test_a_tenth_of_train_is_held_out_where_no_validation_is_published(raw):
  put(raw / "a/train.json", rows(300))
  put(raw / "a/test.json", rows(5, start=300))
  dataset = word_problems(WHOLE, PARTS)
  parts = {split: dataset.examples(split) for split in dataset.splits}
  assert [e.label for e in parts["test"]] == ["301", "302", "303", "304", "305"]
  assert 15 < len(parts["validation"]) < 45
  everything = [e.id for some in parts.values() for e in some]
  assert len(everything) == len(set(everything)) == 305
  assert all(dataset.held_out(e.input) for e in parts["validation"])
  assert not any(dataset.held_out(e.input) for e in parts["train"])


def test_a_published_validation_split_is_used_as_it_is(raw):
  names = {name: name for name in ("train", "validation", "test")}
  source = Files("{}.json", "x", names)
  for number, name in enumerate(names):
    put(raw / f"{name}.json", rows(20, start=20 * number))
  dataset = word_problems(source)
  sizes = [len(dataset.examples(split)) for split in dataset.splits]
  assert sizes == [20, 20, 20]
  assert not any(dataset.held_out(e.input) for e in dataset.examples("train"))


def whole_train(dataset):
  parts = map(dataset.examples, ("train", "validation"))
  return sorted(e.input for part in parts for e in part)


def test_a_split_that_no_source_has_is_never_read_from_another(raw):
  put(raw / "t.json", rows(20))
  for has, lacks in (("train", "test"), ("test", "train")):
    dataset = word_problems(Files("t.json", "x", {has: ""}))
    assert dataset.is_there(has) and not dataset.is_there(lacks)
    with pytest.raises(UserError, match=f"has no split '{lacks}'"):
      dataset.examples(lacks)


def test_the_first_source_that_is_there_is_read(raw, tmp_path):
  for part in (1, 2):
    lines = "".join(json.dumps(row) + "\n" for row in rows(2, start=part))
    put(raw / f"b/t{part}.jsonl", lines)
  dataset = word_problems(WHOLE, PARTS)
  assert dataset.is_there("train") and not dataset.is_there("test")
  assert whole_train(dataset) == [
    "1 and 1?",
    "2 and 1?",
    "2 and 1?",
    "3 and 1?",
  ]
  put(raw / "a/train.json", rows(1))
  assert whole_train(dataset) == ["0 and 1?"]
  elsewhere = dataclasses.replace(dataset, root=str(tmp_path / "b"))
  assert not elsewhere.is_there("train")
  # TFDS, which comes first, has prepared nothing and is not asked.
  never = Tfds("gsm8k", BOTH, data_dir=str(tmp_path / "tfds"))
  assert whole_train(word_problems(never, WHOLE)) == ["0 and 1?"]


def test_absent_files_are_said_with_where_to_get_them(raw, monkeypatch):
  dataset = word_problems(WHOLE, PARTS)
  with pytest.raises(UserError, match=f"{raw}/a/train.json is") as error:
    dataset.examples("train")
  assert "example.org/a" in error.value.remedy
  with pytest.raises(UserError, match="'dev'"):
    dataset.examples("dev")
  monkeypatch.delenv("DISTILL_RAW_DATA_DIR")
  with pytest.raises(UserError, match="DISTILL_RAW_DATA_DIR"):
    dataset.examples("train")
  assert not dataset.is_there("train")


@pytest.mark.parametrize(
  "content, named",
  [
    ("{", "Line 1 of"),
    ({"rows": []}, "Row 0 of"),
    ({"version": 1, "rows": []}, "Row 0 of"),
    (["text"], "has other rows"),
    ([*rows(1), {"question": "x"}], "Row 1 of"),
    ([*rows(1), {"question": "x", "answer": "many"}], "Row 1 of"),
    ([*rows(1), {"question": " ", "answer": 1}], "Row 1 of"),
  ],
)
def test_what_is_wrong_is_named_down_to_the_row(raw, content, named):
  put(raw / "x.json", content)
  dataset = word_problems(Files("x.json", "x"))
  with pytest.raises(UserError, match=named):
    dataset.examples("test")


OWN = Published(
  "own",
  lambda row: (row["q"], row["l"]),
  Files("own.jsonl", "ourselves", {"test": ""}),
)


@pytest.mark.parametrize(
  "change, found",
  [
    ({"l": float("nan")}, "label (field 'l') is malformed: NaN"),
    ({"l": None}, "label (field 'l') is malformed: null"),
    ({"l": ["a"]}, "label (field 'l')"),
    ({"l": {"text": "a"}}, "label (field 'l')"),
    ({"l": True}, "label (field 'l') is malformed: true"),
    ({"l": 0.5}, "label (field 'l') is malformed: 0.5"),
    ({"q": ["a", "b"]}, "input (field 'q')"),
    ({"q": "  "}, "input (field 'q') is blank"),
    ({"gold": "a"}, "no field 'l'; the row has 'q', 'gold'"),
  ],
)
def test_of_one_s_own_row_the_field_is_named(raw, change, found):
  good = {"q": "a?", "l": "a"}
  bad = {
    key: v for key, v in good.items() if "gold" not in change or key != "l"
  }
  put(raw / "own.jsonl", json.dumps(good) + "\n" + json.dumps(bad | change))
  with pytest.raises(UserError, match=r"Row 1 of .*own.jsonl") as error:
    OWN.examples("test")
  assert found in error.value.found
  # Nobody but its author has the file.
  assert "get" not in error.value.remedy


def test_whole_numbers_are_read_as_their_digits(raw):
  put(raw / "own.jsonl", [{"q": 7, "l": 18}, {"q": "b?", "l": 18.0}])
  labels = [(e.input, e.label) for e in OWN.examples("test")]
  assert labels == [("7", "18"), ("b?", "18")]


def test_a_file_of_one_s_own_is_not_to_be_downloaded(raw):
  with pytest.raises(UserError, match="own.jsonl is absent") as error:
    OWN.examples("test")
  assert error.value.remedy.startswith("put it there")


def test_separated_values_xml_and_wrapped_rows(raw):
  put(raw / "x.tsv", 'question\tanswer\n"a ""b""\nc?"\t2\n')
  put(raw / "x.csv", "question,answer\r\na?,2\r\n")
  put(
    raw / "x.xml",
    "<Top><ProblemSet><Problem ID='1'><question>a &lt; b?</question>"
    "<answer>2</answer></Problem></ProblemSet></Top>",
  )
  put(raw / "x.json", {"name": "x", "examples": rows(2)})
  inputs = {}
  for ending in ("tsv", "csv", "xml", "json"):
    source = Files(f"x.{ending}", "x")
    examples = word_problems(source).examples("test")
    inputs[ending] = [e.input for e in examples]
  assert inputs == {
    "tsv": ['a "b"\nc?'],
    "csv": ["a?"],
    "xml": ["a < b?"],
    "json": ["0 and 1?", "1 and 1?"],
  }
  put(raw / "x.xml", "<Top>")
  with pytest.raises(UserError, match="no XML"):
    word_problems(Files("x.xml", "x")).examples("test")


ESNLI = Published("esnli", forms.nli, Tfds("esnli"))


def test_tfds_values_become_plain_ones():
  table = {
    "premise": ["A dog runs.", "Ein Löwe schläft.", "A dog runs."],
    "hypothesis": ["It moves.", "It is awake.", "It moves."],
    "label": [0, 2, 1],
    **{f"explanation_{i}": [""] * 3 for i in (1, 2, 3)},
  }

  def rows_of(builder, split, **kwargs):
    assert split == "validation" and not kwargs.get("shuffle_files")
    return tf.data.Dataset.from_tensor_slices(table)

  with tfds.testing.mock_data(as_dataset_fn=rows_of):
    first, second, third = ESNLI.examples("validation")
  assert first.input == "premise: A dog runs. hypothesis: It moves."
  assert first.label == "entailment"
  assert second.input == "premise: Ein Löwe schläft. hypothesis: It is awake."
  assert (second.label, third.label) == ("contradiction", "neutral")
  assert third.id == first.id + "-1"


def test_data_that_tfds_cannot_prepare_is_one_clear_error(tmp_path):
  in_the_way = tmp_path / "file"
  in_the_way.write_text("not a folder")
  source = Tfds("esnli", data_dir=str(in_the_way))
  with pytest.raises(UserError, match="TFDS cannot prepare 'esnli'") as error:
    Published("esnli", forms.nli, source).examples("test")
  assert str(in_the_way) in error.value.expected
  assert "TFDS_DATA_DIR" in error.value.remedy


@pytest.fixture
def datasets(tmp_path, monkeypatch):
  """The library, which keeps what it makes in a folder of the test's."""
  monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
  library = pytest.importorskip("datasets", reason="needs the extra hf")
  library.disable_progress_bars()
  cache = tmp_path / "hf" / "datasets"
  monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", cache)
  return library


def nli_rows(datasets, labels):
  names = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
  features = {"premise": datasets.Value("string")}
  features = datasets.Features(
    {**features, "hypothesis": datasets.Value("string"), "label": names}
  )
  columns = {
    "premise": [f"{i} is even." for i in range(len(labels))],
    "hypothesis": ["It is odd."] * len(labels),
    "label": labels,
  }
  return datasets.Dataset.from_dict(columns, features)


@pytest.mark.parametrize("form", ["save_to_disk", "to_parquet"])
def test_a_folder_of_hugging_face_is_a_source(datasets, raw, form):
  saved = datasets.DatasetDict(
    {
      "train": nli_rows(datasets, [0, 2] * 30),
      "test": nli_rows(datasets, [2, 1, -1]),
    }
  )
  if form == "save_to_disk":
    saved.save_to_disk(str(raw / "mine"))
  else:
    for split, rows in saved.items():
      rows.to_parquet(str(raw / "mine" / f"{split}.parquet"))
  source = HuggingFace("mine", {"train": "train", "test": "test"})
  dataset = Published("toy", forms.nli, source)
  assert source.is_there("test", None) and not dataset.is_there("absent")
  with pytest.raises(UserError, match="Row 2 of Hugging Face mine") as said:
    dataset.examples("test")
  assert said.value.found == "the label is blank"
  train = [*dataset.examples("train"), *dataset.examples("validation")]
  assert len(train) == 60
  assert {e.input: e.label for e in train}[
    "premise: 1 is even. hypothesis: It is odd."
  ] == "contradiction"


def test_what_hugging_face_cannot_read_is_named(datasets, raw, monkeypatch):
  (raw / "empty").mkdir()
  dataset = Published("toy", forms.nli, HuggingFace("empty"))
  with pytest.raises(UserError, match="cannot read 'empty'"):
    dataset.examples("test")


def test_the_library_of_hugging_face_is_named_where_it_is_missing(
  raw, monkeypatch
):
  monkeypatch.setitem(sys.modules, "datasets", None)
  dataset = Published("toy", forms.nli, HuggingFace("someone/something"))
  assert not dataset.is_there("train")
  with pytest.raises(UserError, match="library 'datasets'") as said:
    dataset.examples("train")
  assert "distill-jax[hf]" in said.value.remedy
