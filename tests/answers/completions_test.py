"""Completions: rationale and answer, whatever a model goes on to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.completions import (
  FORMS,
  ParsedCompletion,
  parse_completion,
  read_answer,
  split_thinking,
)
from distill.answers.rules import (
  ChoiceAnswer,
  NumberAnswer,
  TextAnswer,
  YesNoAnswer,
)


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


LISTED = ChoiceAnswer(("river", "bank", "sky"))
NUMBER, TEXT, YES_NO = NumberAnswer(), TextAnswer(), YesNoAnswer()


@pytest.mark.parametrize(
  "rule, text, answer",
  [
    (NUMBER, "The answer is 5 if we ignore tax. Then 6.\nFinal answer: 6", "6"),
    (
      NUMBER,
      "Therefore, the answer is 27. The answer (words) is twenty-seven.",
      "27",
    ),
    (NUMBER, "So the answer is 5? No. We add tax.\n\n18", "18"),
    (
      NUMBER,
      "Final Answer: The final answer is $8$. I hope it is correct.",
      "8",
    ),
    (NUMBER, "The answer is obvious. 5 + 3 = 8.\n#### 8", "8"),
    (NUMBER, "**Final Answer**\n\n\\boxed{8}", "8"),
    (NUMBER, "### Final Answer\n8", "8"),
    (NUMBER, "5 + 3 is 8 --> 8", "8"),
    (LISTED, "The boxes hold 3. --> bank", "bank"),
    (NUMBER, "Reason.\n\\[\n\\boxed{8}\n\\]", "8"),
    (LISTED, "Reason.\n(b)", "bank"),
    (LISTED, "B", "bank"),
    (NUMBER, "<think>So the answer is 5</think>So the answer is 8.", "8"),
    (NUMBER, "x<think>a</think>So the answer is 8.", "8"),
    (NUMBER, "So the answer is 8. <think>hmm, the answer is 9", "8"),
    (TEXT, "So the answer is ab<|eot_id|>", "ab"),
    (TEXT, "So the answer is:\n\n**fnel**", "fnel"),
    (NUMBER, "If the answer is 5 then 6. So it is 8.", ""),
    (LISTED, '{"rationale": "x", "answer": "**B**"}', "bank"),
    (LISTED, "(B) is the correct answer.", "bank"),
    (
      LISTED,
      "The correct answer is (B) bank because so. The other answers are wrong.",
      "bank",
    ),
    (NUMBER, "The answer is not 5. The answer is 8.", "8"),
    (NUMBER, "Answer: We add 5 and 3. The total is 8.", ""),
    (NUMBER, "**Answer:**\n\n> 8", "8"),
    (NUMBER, "Answer = 8", "8"),
    (NUMBER, "The answer: 8", "8"),
    (NUMBER, "the answer would be 8", "8"),
    (NUMBER, "So, the answer is **8**.", "8"),
    (NUMBER, "My final answer is: 8", "8"),
    (NUMBER, "<answer>8</answer>", "8"),
    (NUMBER, "\\boxed{5}? No: \\boxed{8}", "8"),
    (NUMBER, "The answer is twenty. <b>Answer: 20</b>", "20"),
    (YES_NO, "So the answer is yes.", "yes"),
    (YES_NO, "It's heads.\nYes", "yes"),
    (
      NUMBER,
      "So the answer is in the range 10 to 20.\nThe final result: 15",
      "15",
    ),
    (NUMBER, "Two.\nTherefore, 15.", "15"),
    (LISTED, "Two.\nThus (b).", "bank"),
    # A sentence with a number in it concludes nothing.
    (NUMBER, "Two.\nThen there are 15 left to count.", ""),
  ],
)
def test_the_last_statement_that_can_be_read_is_the_answer(rule, text, answer):
  assert parse_completion(text, rule).answer == answer


@pytest.mark.parametrize(
  "text, rationale",
  [
    ("Two.\n\\[\n\\boxed{8}\n\\]", "Two."),
    ("Two. **Answer:** **8**", "Two."),
    ("Two.\n\n**Final Answer**\n\nThe final answer is $\\boxed{8}$.", "Two."),
    ("5 + 3 --> 8", "5 + 3"),
    ("Two.\n\n### Answer\n8", "Two."),
    ("Two.\n8", "Two."),
  ],
)
def test_what_announces_an_answer_is_no_part_of_the_rationale(text, rationale):
  assert parse_completion(text, NUMBER) == ParsedCompletion(rationale, "8")


@pytest.mark.parametrize(
  "text, answer",
  [
    ("8", "8"),
    ("The answer is 8.", "8"),
    ("<think>9</think> 8", "8"),
    ("It is 5 + 3, so the answer is 8", "8"),
    ("many", ""),
  ],
)
def test_a_text_may_be_an_answer_alone(text, answer):
  assert read_answer(text, NUMBER) == answer


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
    # Words before the part, one that comes late, several, doubled tags.
    ("So.<think>Hm.</think> It is 8.", "Hm.", "So. It is 8."),
    ("It is <think>Hm. 8", "Hm. 8", "It is "),
    ("<think>A.</think>B. <think>C.</think>D.", "A.\n\nC.", "B. D."),
    ("<think>\n<think>A.</think>B.", "A.", "B."),
    ("<think>A.</think></think>B.", "A.", "B."),
    ("<Thinking>A.</Thinking>B.", "A.", "B."),
    ("[THINK]A.[/THINK]B.", "A.", "B."),
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
