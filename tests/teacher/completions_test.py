"""Completions: rationale and answer, whatever a model goes on to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.teacher.answers import NumberAnswer, TextAnswer
from distill.teacher.completions import ParsedCompletion, parse_completion


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
    # A refusal, and a completion cut short: nothing to learn from.
    (" I do not know how to answer this question.", "", ""),
    (" 5 + 3 = 8, so the ans", "", ""),
    (" 5 + 3 is a lot. So the answer is many.", "5 + 3 is a lot.", ""),
    ("", "", ""),
    ("Q: 5?\nA: So the answer is 5.", "", ""),
  ],
)  # fmt: skip
def test_a_completion_splits_at_its_trigger(text, rationale, answer):
  parsed = parse_completion(text, NumberAnswer())
  assert parsed == ParsedCompletion(rationale, answer)


CLEAN = st.from_regex(r"[a-z][a-z0-9+= ]{0,30}[a-z]", fullmatch=True)


@given(CLEAN, CLEAN, st.text(max_size=40))
def test_what_a_teacher_wrote_comes_back(rationale, answer, continuation):
  text = f" {rationale}. So the answer is {answer}.\n\nQ: {continuation}"
  parsed = parse_completion(text, TextAnswer())
  assert parsed.rationale == f"{rationale}."
  assert parsed.answer == " ".join(answer.split())


@given(st.text())
def test_any_text_parses(text):
  parsed = parse_completion(text, TextAnswer())
  assert parsed.rationale == parsed.rationale.strip()
  assert "Q:" not in parsed.answer.split()
