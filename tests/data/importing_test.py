"""Imports: four formats, and the released files with their known accuracies."""

import dataclasses
import json
import os
import pathlib
import re

import pytest

from distill.answers import rules
from distill.answers.upstream import find_parser
from distill.data import importing, published_rationales, registration
from distill.data.cache import files, records
from distill.data.examples import with_ids
from distill.data.published_rationales import FORMATS, PublishedAnswer
from distill.errors import UserError

REAL = pathlib.Path(os.environ.get("DISTILL_TEST_DATA", "nowhere"))
RELEASED = REAL / "distilling_step_by_step"
NLI = rules.ChoiceAnswer(("entailment", "neutral", "contradiction"))
THEN = "\nTherefore, the answer is"


class Carved:
  """A dataset whose file of train rows has the validation rows, too."""

  name, splits = "carved", ("train", "validation", "test")

  def held_out(self, text):
    return text == "b?"

  def examples(self, split):
    return with_ids([("a?", "1"), ("c?", "3")])


class Own:
  """A dataset of one's own: rows of train, validation and test."""

  name, splits = "own", ("train", "validation", "test")

  def __init__(self, *rows):
    self.rows = dict(zip(self.splits, rows, strict=True))

  def held_out(self, text):
    return text == "b?"

  def examples(self, split):
    return with_ids(self.rows[split])


def put(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(content if isinstance(content, str) else json.dumps(content))


def lines(*rows):
  # Not escaped: as published, with U+2028 inside of lines.
  return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(folder, name, dataset=None, rule=None, parser=None, **options):
  found = FORMATS[name](folder, options)
  groups = importing.group(found, dataset or Carved(), "train")
  rule = rule or rules.NumberAnswer()
  return {
    split: [importing.to_record(e, some, rule, parser, "") for e, some in rows]
    for split, rows in groups.items()
  }


def test_a_folder_of_distilling_step_by_step(tmp_path):
  pairs = [("a?", "0"), ("b?", "1"), ("c?", "2"), ("a?", "3")]
  rows = [{"input": text, "label": label} for text, label in pairs]
  put(tmp_path / "set_train.json", lines(*rows))
  texts = ["No. The answer is 0.\n\nQ: c", "Yes.\u2028 So the answer is 7.\n\n"]
  put(tmp_path / "palm" / "train_CoT_0.json", texts)
  put(tmp_path / "palm" / "train_CoT_1.json", ["2, so the ans", texts[0]])
  own = Own([pairs[0], pairs[2], pairs[3]], [pairs[1]], [])
  found = read(tmp_path, "dss", own)
  first, lost, again = found["train"]
  [held_out] = found["validation"]
  assert (first.rationales, first.agrees) == (("No.",), (1,))
  assert held_out.rationales == ("Yes.",) and held_out.agrees == (0,)
  assert lost.finish_reasons == ("length",) and lost.rationales == ("",)
  # A repeated row is an example of its own, as in the dataset.
  assert (again.id, again.label) == (f"{first.id}-1", "3")
  assert again.completions == (texts[0],) and again.teachers == ("palm",)


def test_rows_without_their_completions_are_refused(tmp_path):
  put(tmp_path / "set_test.json", lines({"input": "a?", "label": "1"}))
  assert read(tmp_path, "dss") == {}
  put(tmp_path / "llm" / "test_CoT_0.json", ["a", "b"])
  with pytest.raises(UserError, match="does not belong") as error:
    read(tmp_path, "dss")
  assert (error.value.expected, error.value.found) == (
    "1 completions, one a row",
    "2",
  )
  put(tmp_path / "set_test.json", lines({"premise": "a", "label": 3}, {}))
  with pytest.raises(UserError, match=r"Row 0 of .*set_test.json is malformed"):
    read(tmp_path, "dss")


def sample(index, question, completion, reason="stop"):
  return {
    "sample_index": index,
    "question": question,
    "answer": "8",
    "reasoning_completion": " 5 + 3.\n",
    "reasoning_finish_reason": reason,
    "completion": completion,
    "finish_reason": "stop",
  }


def test_completions_of_fine_tune_cot(tmp_path):
  data = {
    "0": [sample(0, "d?", " 8.0 boxes"), sample(0, "d?", " 7")],
    "2": [sample(2, "e?", " 8", "length")],
  }
  put(tmp_path / "B_x" / "D_y.json", {"metadata": {"base_model": "davinci"},
                                      "data": data})  # fmt: skip
  put(tmp_path / "split" / "y.json", {"train": [0], "test": [2]})
  split_file = str(tmp_path / "split" / "y.json")
  found = read(tmp_path / "B_x", "fine_tune_cot", split_file=split_file)
  [both], [cut] = found["train"], found["test"]
  assert both.rationales == ("5 + 3.", "5 + 3.") and both.agrees == (1, 0)
  assert both.teachers == ("davinci", "davinci")
  assert both.completions[0] == f"5 + 3.{THEN} 8.0 boxes"
  # Here what was cut short is a failure; there it was not.
  assert (cut.agrees, cut.rationales) == ((0,), ("",))
  parser = find_parser("fine_tune_cot_gsm8k")
  found = read(tmp_path / "B_x", "fine_tune_cot", parser=parser)
  assert [row.agrees for row in found["train"]] == [(0, 0), (1,)]
  with pytest.raises(UserError, match="y.json is not of this format"):
    read(tmp_path, "fine_tune_cot")


def test_pools_of_scotd(tmp_path):
  def row(question, answer, score):
    response = f" Hm. So the answer is: {answer}"
    prompt = f"Q: x\nA: y\n\nQ: {question}\nA:"
    return {"prompt": prompt, "response": response, "score": score}

  pool = [row("a?", "1", 1.0), row("z?", "5", 0.0), row("a?", "2", 0.0)]
  put(tmp_path / "pool.json", {"gpt*carved*30x*": pool})
  known, unknown = read(tmp_path, "scotd")["train"]
  # The label is the dataset's; where it has none, the pool knows who is right.
  assert (known.label, known.agrees) == ("1", (1, 0))
  assert (unknown.label, unknown.agrees) == ("", (0,))
  assert known.rationales == ("Hm.", "Hm.") and known.teachers[0] == "gpt"


def test_rows_by_a_field_map(tmp_path):
  rows = [
    {"n": 7, "p": "a", "gold": 8, "cot": "A: 5 + 3.\u2028 The answer is 8."},
    {"n": 7, "p": "a", "gold": 8, "cot": None},
  ]
  put(tmp_path / "rows.jsonl", lines(*rows))
  fields = {"id": "n", "input": "p: {p}", "label": "gold"}
  [record] = read(tmp_path, "jsonl", completion="cot", **fields)["train"]
  assert (record.id, record.input, record.agrees) == ("7", "p: a", (1, 0))
  # Half a surrogate pair can be spelt in JSON, and written nowhere.
  put(
    tmp_path / "rows.jsonl", '{"n": 1, "p": "a", "gold": 8, "cot": "\\ud800"}'
  )
  [record] = read(tmp_path, "jsonl", completion="cot", **fields)["train"]
  assert record.completions == ("?",) and records.serialise(record)
  # A list of rows is read as well; rationale and answer may stand apart.
  put(tmp_path / "rows.jsonl", rows[:1])
  fields |= {"rationale": "cot", "answer": "gold"}
  [record] = read(tmp_path, "jsonl", **fields)["train"]
  assert record.rationales == (rows[0]["cot"],)
  assert record.teacher_labels == ("8",)
  with pytest.raises(UserError, match=r"Row 0 of .*rows.jsonl") as error:
    read(tmp_path, "jsonl", **fields, finish_reason="why")
  assert "'why'" in error.value.found


def test_an_import_is_a_cache_that_says_what_it_is_from(toy, tmp_path):
  answer = PublishedAnswer(
    "", "a b", "b", "The last. So the answer is b.", teacher="x"
  )
  groups = importing.group([answer], toy.Dataset(), "train")["train"]
  content = [
    importing.to_record(e, some, rules.TextAnswer(), None, "")
    for e, some in groups
  ]
  write = {"command": "import_rationales", "flags": "", "overwrite": False}
  write |= {"family": "toy", "split": "train", "content": content}
  entry = files.write_records(str(tmp_path), source="s", **write)
  assert (entry.examples, entry.agreeing, entry.teacher) == (1, 1, "x")
  assert files.write_records(str(tmp_path), source="s", **write) == entry
  with pytest.raises(UserError, match="--overwrite"):
    files.write_records(str(tmp_path), source="t", **write)


STORY = "Mary slid on ice and then on a carpet. Where is it smoother?"
CHOICES = f"{STORY}\nAnswer Choices:\n(a) ice\n(b) the carpet"
TEST = Own([("What is 7 - 2?", "5")], [], [(CHOICES, "ice")])


def rows_of(tmp_path, *rows, dataset=TEST, **fields):
  put(tmp_path / "rows.jsonl", lines(*rows))
  fields = {"input": "q", "answer": "a"} | fields
  return read(tmp_path, "jsonl", dataset, rules.ListedChoiceAnswer(), **fields)


@pytest.mark.parametrize(
  "asked",
  [
    f"{STORY} (A) ice (B) the carpet",
    f"Q: {STORY.upper()}\n(1) Ice, (2) the carpet\nA:",
    f"Question:  {STORY} A. the carpet B. ice",
    f"explain the story: {STORY}",
    f"Choose the right answer.\n\n{STORY}\n\nAnswer1: ice Answer2: the carpet",
    f"[label] {STORY}\nOptions:\n- ice\n- the carpet",
  ],
)
def test_a_reworded_test_question_is_the_datasets_own(tmp_path, asked):
  # The label is in another form than the family's.
  row = {"q": asked, "a": "(a)", "l": "A"}
  found = rows_of(tmp_path, row, label="l")
  [record] = found.pop("test")
  assert not found
  assert (record.input, record.label) == (CHOICES, "ice")
  assert record.teacher_labels == ("ice",) and record.agrees == (1,)


def test_another_question_is_none_of_the_datasets(tmp_path):
  other = f"{STORY} (A) mud (B) snow", "What is 7 + 2?", "What is 72?"
  found = rows_of(tmp_path, *({"q": q, "a": "5"} for q in other))
  assert [record.input for record in found["train"]] == [*other]
  assert len({record.id for record in found["train"]}) == 3


def test_inputs_that_differ_in_case_or_spacing_are_examples_each(tmp_path):
  pair = [("One?", "a"), ("ONE?", "b"), ("One? ", "c")]
  asked = ("ONE?", "One?", "One? ", "Two?", "TWO?", " Two?")
  rows = [{"q": q, "a": "b"} for q in asked]
  found = rows_of(tmp_path, *rows, dataset=Own(pair, [], []))["train"]
  assert [(r.input, r.label, len(r.agrees)) for r in found] == [
    *(("ONE?", "b", 1), ("One?", "a", 1), ("One? ", "c", 1)),
    *(("Two?", "", 2), ("TWO?", "", 1)),
  ]
  own = Own(pair, [], []).examples("train")
  assert {(r.id, r.input) for r in found[:3]} == {(e.id, e.input) for e in own}
  assert len({record.id for record in found}) == 5


def test_ids_of_the_files_tell_repeated_inputs_apart(tmp_path):
  twice = Own([("a?", "1"), ("b?", "1"), ("a?", "2")], [], [])
  rows = [{"n": n, "q": "a?", "a": str(n)} for n in (7, 8, 7, 9)]
  found = rows_of(tmp_path, *rows, dataset=twice, id="n")["train"]
  first, _, second = twice.examples("train")
  assert [(r.id, r.label) for r in found] == [(first.id, "1"), (second.id, "2")]
  # A third id has no example of its own.
  assert [r.teacher_labels for r in found] == [("7", "7", "9"), ("8",)]


def test_an_id_of_two_inputs_is_refused(tmp_path):
  rows = [{"n": 7, "q": q, "a": "1"} for q in ("x?", "y?")]
  with pytest.raises(UserError, match="'7' stands for two inputs"):
    rows_of(tmp_path, *rows, id="n")
  taken = {"n": TEST.examples("test")[0].id, "q": "x?", "a": "1"}
  with pytest.raises(UserError, match="that of an example of the dataset"):
    rows_of(tmp_path, taken, id="n")


def test_a_list_is_several_answers(tmp_path):
  row = {"q": "x?", "r": ["One.", None], "a": ["ice", 3], "t": "me"}
  fields = {"rationale": "r", "teacher": "t"}
  [record] = rows_of(tmp_path, row, **fields)["train"]
  assert record.rationales == ("One.", "")
  assert record.teacher_labels == ("ice", "3")
  assert record.teachers == ("me", "me")
  texts = {"q": "x?", "a": ["ice. So the answer is ice.", "?"]}
  completion = {"answer": "", "completion": "Hm, {a}"}
  [record] = rows_of(tmp_path, texts, **completion)["train"]
  assert record.completions == ("Hm, ice. So the answer is ice.", "Hm, ?")


@pytest.mark.parametrize(
  "change, named",
  [
    ({"q": ["x?"]}, "'q': \\[\"x\\?\"\\] is no text"),
    ({"q": {"stem": "x?"}}, "'q'"),
    ({"q": None}, "'q': null"),
    ({"q": " "}, "blank"),
    ({"l": float("nan")}, "'l': NaN"),
    ({"l": None}, "'l': null"),
    ({"l": True}, "'l': true"),
    ({"l": ["x"]}, "'l'"),
    ({"a": float("nan")}, "'a': NaN"),
    ({"a": [["x"]]}, "'a'"),
    ({"a": {"text": "x"}}, "'a'"),
    ({"a": ["x", "y"], "r": ["x"]}, "different lengths"),
  ],
)
def test_what_is_no_text_is_named_with_row_and_field(tmp_path, change, named):
  row = {"q": "x?", "l": "y", "a": "x", "r": "z"}
  fields = {"label": "l", "rationale": "r"}
  with pytest.raises(UserError, match=r"Row 1 of .*rows.jsonl") as error:
    rows_of(tmp_path, row, row | change, **fields)
  assert re.search(named, error.value.found)


def test_numbers_are_read_as_they_are_written(tmp_path):
  row = {"q": 7, "l": 18.0, "a": 11.5}
  [record] = rows_of(tmp_path, row, label="l")["train"]
  assert (record.input, record.label) == ("7", "18")
  assert record.teacher_labels == ("11.5",)


def test_hidden_files_and_backups_are_no_answers(tmp_path):
  put(tmp_path / "more" / "rows.jsonl", lines({"q": "x?", "a": "1"}))
  for name in (
    *(".rows.jsonl", "._rows.jsonl", "rows.jsonl~", "#rows.jsonl#"),
    *("rows.jsonl.bak", "rows.jsonl.orig", ".rows.jsonl.swp"),
    ".ipynb_checkpoints/rows-checkpoint.jsonl",
  ):
    put(tmp_path / "more" / name, lines({"q": "x?", "a": "2"}))
  fields = {"input": "q", "answer": "a"}
  [record] = read(tmp_path, "jsonl", TEST, **fields)["train"]
  assert record.teacher_labels == ("1",)
  digest = importing.files_sha256(tmp_path)
  put(tmp_path / "more" / "rows.jsonl~", "{")
  assert importing.files_sha256(tmp_path) == digest


@pytest.mark.parametrize(
  "texts, ends",
  [
    # A teacher who goes on until a limit: what has no end was cut.
    (["Yes. So the answer is 1.\n\nQ: a"] * 3 + ["So the answer is (1 +"],
     ["stop"] * 3 + ["length"]),
    # One who ends by himself, and without a period: nothing was cut.
    (["It is 1. So the answer is 1"] * 99 + ["Yes."], [""] * 99 + ["stop"]),
    # One whose sentences end: cut is what ends without an answer.
    (["So the answer is 1."] * 8 + ["So the answer is 2", "Then we ha"],
     ["stop"] * 8 + ["", "length"]),
    ([], []),
  ],
)  # fmt: skip
def test_answers_are_cut_short_by_the_measure_of_their_own_teacher(texts, ends):
  assert published_rationales.ends_of(texts) == ends


needs_release = pytest.mark.skipif(
  not RELEASED.is_dir(), reason="DISTILL_TEST_DATA has no released answers"
)
CQA, SVAMP = (
  (dataclasses.replace(family.dataset, root=str(REAL)), family.answer_rule)
  for family in map(registration.find_family, ("cqa", "svamp"))
)


@needs_release
@pytest.mark.parametrize(
  "data, family, upstream, better",
  [
    # 74.26 and 77.23%; by letter, never two of them, 75.47 and 78.46%.
    ("cqa", CQA, {"train": 7234, "test": 943}, {"train": 7352, "test": 958}),
    # 73.50 and 74.00%; nothing lost after the last ')', 74.25 and 78.00%.
    ("svamp", SVAMP, {"train": 588, "test": 148}, {"train": 594, "test": 156}),
    # 73.17 and 72.99%; less three right ones that end without a mark.
    pytest.param(
      *("esnli", (Carved(), NLI), {"validation": 7201, "test": 7171},
        {"validation": 7200, "test": 7169}), marks=pytest.mark.long),
  ],
)  # fmt: skip
def test_released_answers_have_their_known_accuracy(
  data, family, upstream, better
):
  for parser, known in ((f"dss_{data}", upstream), (None, better)):
    parser = parser and find_parser(parser)
    found = read(RELEASED / data, "dss", *family, parser)
    agreeing = dict.fromkeys(known, 0)
    for split, rows in found.items():
      # What is held out of train here was train there.
      there = "train" if split not in known else split
      agreeing[there] += sum(r.agrees.count(records.AGREES) for r in rows)
    assert agreeing == known


@needs_release
def test_ids_are_those_of_the_dataset_itself():
  dataset, rule = CQA
  found = read(RELEASED / "cqa", "dss", dataset, rule)
  for split in dataset.splits:
    expected = [(e.id, e.input, e.label) for e in dataset.examples(split)]
    assert [(r.id, r.input, r.label) for r in found[split]] == expected


@needs_release
def test_the_released_rows_of_esnlis_train_split():
  path = RELEASED / "esnli" / "esnli_train10k_palm.jsonl"
  fields = {"input": "premise: {premise} hypothesis: {hypothesis}"}
  fields |= {"id": "index", "label": "label", "completion": "raw"}
  # 69.86%; 28 more end after the answer, before the next 'Premise' is whole.
  upstream = find_parser("dss_esnli")
  for parser, right in ((upstream, 6986), (None, 7014)):
    found = read(path, "jsonl", Carved(), NLI, parser, **fields)["train"]
    assert len(found) == 10_000
    assert sum(r.agrees.count(records.AGREES) for r in found) == right


@pytest.mark.skipif(not REAL.is_dir(), reason="DISTILL_TEST_DATA is not set")
@pytest.mark.parametrize(
  "file, theirs, ours",
  [
    ("SVAMP/svamp_1.json", 803, 804),
    ("AddSub/addsub_1.json", 370, 370),
    ("SingleEq/singleeq_1.json", 484, 485),
  ],
)
def test_chains_of_thought_of_another_model_are_read_as_well(
  file, theirs, ours
):
  # LLM-Adapters: GPT-3.5, with the answer that its authors parsed.
  path = REAL / "llm_adapters" / file
  rows = json.loads(path.read_text())
  assert sum(abs(row["pred"] - row["answer"]) < 1e-3 for row in rows) == theirs
  fields = {"input": "question", "label": "answer"}
  found = read(path, "jsonl", completion="chain-of-thought", **fields)["train"]
  assert sum(row.agrees.count(records.AGREES) for row in found) == ours
  assert all(row.rationales[0] for row in found)
