"""Completions: rationale and answer, whatever a model goes on to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.completions import (
  FORMS,
  ParsedCompletion,
  parse_completion,
  split_thinking,
)
from distill.answers.rules import NumberAnswer, TextAnswer


@pytest.mark.parametrize(
  "text, rationale, answer",
  [
    (" 5 + 3 = 8. So the answer is 8.", "5 + 3 = 8.", "8"),
    # The hallucinated next question of a few-shot prompt.
    (" It is 8. So the answer is 8.\n\nQ: How many 3?\nA: 4. So the answer"
     " is 4.", "It is 8.", "8"),
    (" So the answer is 5. No, 5 + 3. So the Answer is: 8",
     "So the answer is 5. No, 5 + 3.", "8"),
    (" So the answer is 8.", "", "8"),
    ("\nA: It is 8. So the answer is 8.", "It is 8.", "8"),
    # A refusal, and a completion cut short: nothing to learn from.
    (" I do not know how to answer this question.", "", ""),
    (" 5 + 3 = 8, so the ans", "", ""),
    (" 5 + 3, but the answer isn't 7", "", ""),
    (" 5 + 3 is a lot. So the answer is many.", "5 + 3 is a lot.", ""),
    ("", "", ""),
    ("Q: 5?\nA: So the answer is 5.", "", ""),
  ],
)  # fmt: skip
def test_a_completion_splits_at_its_trigger(text, rationale, answer):
  parsed = parse_completion(text, NumberAnswer())
  assert parsed == ParsedCompletion(rationale, answer)


@pytest.mark.parametrize(
  "form, text, rationale, answer",
  [
    ("tags", "<rationale>5 + 3</rationale>\n<answer> 8 </answer>", "5 + 3",
     "8"),
    # Left out, or closed by the end: what can be read is read.
    ("tags", "5 + 3 <answer>8</answer>", "5 + 3", "8"),
    ("tags", "<rationale>5 + 3</rationale> <answer>8", "", ""),
    ("json", '{"rationale": "5 + 3", "answer": "8"}', "5 + 3", "8"),
    ("json", 'Sure:\n```json\n{"rationale": "{a}", "answer": 8}\n```', "{a}",
     "8"),
    ("json", '{"rationale": "5 + 3", "answer": "8', "", ""),
    ("json", '{"answer": null}', "", ""),
    ("json", '{"answer": [8]}', "", ""),
    # The strict form first, any other after.
    ("tags", "5 + 3 = 8. So the answer is 8.", "5 + 3 = 8.", "8"),
    ("sentence", '{"rationale": "5 + 3", "answer": "8"}', "5 + 3", "8"),
    ("sentence", "5 + 3 = 8. Therefore, the answer (arabic numerals) is 8.",
     "5 + 3 = 8.", "8"),
    ("sentence", "5 + 3\n#### 8", "5 + 3", "8"),
    ("sentence", "5 + 3 is \\boxed{8}", "5 + 3 is", "8"),
    ("sentence", "5 + 3\n**Final Answer:** 8", "5 + 3", "8"),
    ("sentence", "Not a word of <answer>, nor of {8}.", "", ""),
  ],
)  # fmt: skip
def test_the_form_that_was_asked_for_comes_first(form, text, rationale, answer):
  parsed = parse_completion(text, NumberAnswer(), form)
  assert parsed == ParsedCompletion(rationale, answer)


def test_what_stood_in_the_answers_place_is_kept():
  parsed = parse_completion("A lot. So the answer is many.", NumberAnswer())
  assert (parsed.rationale, parsed.answer) == ("A lot.", "")
  assert parsed.said == "many."
  assert parse_completion("5 + 3, so the ans", NumberAnswer()).said == ""


@pytest.mark.parametrize(
  "text, thinking, rest",
  [
    ("<think>\nHm.\n</think>\n\nIt is 8.", "Hm.", "\n\nIt is 8."),
    # A chat template that opens the part itself, and one that never ended.
    ("Hm.</think>It is 8.", "Hm.", "It is 8."),
    ("<think>Hm. So the answer is 7", "Hm. So the answer is 7", ""),
    ("It is 8.", "", "It is 8."),
  ],
)
def test_thinking_is_kept_apart(text, thinking, rest):
  assert split_thinking(text) == (thinking, rest)
  assert parse_completion(text, NumberAnswer()) == ParsedCompletion("", "")


CLEAN = st.from_regex(r"[a-z][a-z0-9+= ]{0,30}[a-z]", fullmatch=True)


@given(CLEAN, CLEAN, st.text(max_size=40))
def test_what_a_teacher_wrote_comes_back(rationale, answer, continuation):
  text = f" {rationale}. So the answer is {answer}.\n\nQ: {continuation}"
  parsed = parse_completion(text, TextAnswer())
  assert parsed.rationale == f"{rationale}."
  assert parsed.answer == " ".join(answer.split())


@given(st.text(), st.sampled_from(sorted(FORMS)))
def test_any_text_parses(text, form):
  parsed = parse_completion(text, TextAnswer(), form)
  assert parsed.rationale == parsed.rationale.strip()
