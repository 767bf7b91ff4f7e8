"""Prompt templates: one hole, a hash of the file, errors that help."""

import hashlib
import json
import pathlib
import re

import pytest

from distill.answers.completions import parse_completion
from distill.answers.rules import (
  ChoiceAnswer,
  ExpressionAnswer,
  ListedChoiceAnswer,
  NumberAnswer,
  TextAnswer,
  YesNoAnswer,
)
from distill.errors import UserError
from distill.teacher import prompts

FOLDER = pathlib.Path(prompts.__file__).parent / "prompts"
RULES = {
  "last_letters": TextAnswer(),
  "coin_flip": YesNoAnswer(),
  "tracking_shuffled_objects": TextAnswer(),
  "chained_arithmetic": NumberAnswer(),
  "cqa": ListedChoiceAnswer(),
  "esnli": ChoiceAnswer(("entailment", "neutral", "contradiction")),
  "svamp": ExpressionAnswer(),
  "letter_choice": ChoiceAnswer(tuple("ABCDEF")),
  "math": NumberAnswer(),
  "multiple_choice": ListedChoiceAnswer(),
  "sentiment": ChoiceAnswer(("positive", "negative")),
  "yes_no": YesNoAnswer(),
}


@pytest.mark.parametrize("data", RULES)
def test_the_exemplars_read_as_their_datasets_answers(data):
  prompt = prompts.load_prompt(f"few_shot_{data}").render("the question")
  assert prompt.endswith("\n\nQ: the question\nA:")
  shots = re.findall(r"^A: (.*)$", prompt, flags=re.MULTILINE)
  assert 2 <= len(shots) <= 4
  for shot in shots:
    parsed = parse_completion(shot, RULES[data])
    assert parsed.rationale and parsed.answer


def test_every_template_is_tested_here():
  few_shot = {f"few_shot_{data}" for data in RULES}
  styles = {"zero_shot_two_step_v1", "zero_shot_one_step_v1", "structured_v1"}
  stems = {path.stem for path in FOLDER.iterdir()}
  # A version stays as it is: a change of wording is a new file.
  assert few_shot | styles | {"exemplar_v1"} <= stems
  assert all(re.search(r"_v\d+$", stem) for stem in stems - few_shot)


def test_exemplars_from_a_jsonl_file(tmp_path):
  path = tmp_path / "mine.jsonl"
  row = {"input": "{x}\u2028?", "rationale": "{answer}", "answer": "8"}
  path.write_text(json.dumps(row, ensure_ascii=False) + "\n")
  template = prompts.load_prompt(str(path))
  shot = "Q: {x}\u2028?\nA: {answer} So the answer is 8."
  assert template.render("y") == f"{shot}\n\nQ: y\nA:"
  known = template.sha256
  path.write_text(json.dumps({**row, "answer": "9"}))
  assert prompts.load_prompt(str(path)).sha256 != known
  path.write_text('{"input": "x"}')
  with pytest.raises(UserError, match="Line 1 of .*mine.jsonl"):
    prompts.load_prompt(str(path))


def test_a_custom_template_keeps_braces_and_is_hashed(
  tmp_path,
):
  path = tmp_path / "mine.txt"
  path.write_bytes("Ünd {x}?\nQ: {input}\nA:\n\n".encode())
  template = prompts.load_prompt(str(path))
  assert template.name == "mine"
  assert template.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
  rendered = template.render("{a} {input} {0}")
  assert rendered == "Ünd {x}?\nQ: {a} {input} {0}\nA:"


@pytest.mark.parametrize(
  "content, found",
  [(b"no hole", "0 times"), (b"{input}{input}", "2 times"), (b"\xff", "utf-8")],
)
def test_a_template_without_one_hole_is_refused(tmp_path, content, found):
  path = tmp_path / "bad.txt"
  path.write_bytes(content)
  with pytest.raises(UserError, match="bad.txt") as error:
    prompts.load_prompt(str(path))
  assert found in error.value.found


def test_an_unknown_template_gets_the_list_of_those_that_exist():
  with pytest.raises(UserError, match="few_shot_svamp"):
    prompts.load_prompt("few_shot_swamp")
