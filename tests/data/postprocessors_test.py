"""Answers are found where the method puts them, and nowhere else."""

import pytest

from distill.answers.rules import ListedChoiceAnswer, NumberAnswer, TextAnswer
from distill.data import postprocessors


@pytest.mark.parametrize(
  "read, text, answer",
  [
    ("after_therefore", "So 2.\n\nTherefore, the answer is 7", " 7"),
    # A vocabulary without line ends gives spaces for them.
    ("after_therefore", "So 2. Therefore, the answer is 7", " 7"),
    # The template as published, without the comma, is never learnt.
    ("after_therefore", "Therefore the answer is 7", ""),
    ("after_so", "Hm. So the answer is: (b)", " (b)"),
    ("after_so", "So the answer is: a? So the answer is: b", " b"),
    ("after_so", "A. So the answer is: a\n\nQ: z So the answer is: b", " a"),
    ("after_so", "One.\n\nTwo. So the answer is: b", " b"),
    ("after_so", "I do not know.", ""),
    ("before_explanation", "b explanation: c explanation: d", "b "),
    ("before_explanation", "b", "b"),
  ],
)
def test_where_an_answer_stands(read, text, answer):
  postprocess = getattr(postprocessors, f"answer_{read}")
  assert postprocess(text, example=None, is_target=False) == answer
  assert postprocess([text, text]) == [answer, answer]
  # A training split's targets are chains, a test split's are labels.
  assert postprocess(text, is_target=True) == (answer or text)
  assert postprocess("(b)", is_target=True) == "(b)"


def example(text):
  return {"inputs_pretokenized": text.encode()}


def test_zero_shot_answers_are_read_by_the_rule():
  read = postprocessors.answer_to(NumberAnswer(), "question: ")
  assert (
    read("There are 12 of them.", example=example("question: How many?"))
    == "12"
  )
  assert read("None.", example=example("question: How many?")) == ""
  assert read("12 eggs", is_target=True) == "12 eggs"


def test_a_letter_is_one_of_the_question_s_own_choices(tmp_path):
  rule = ListedChoiceAnswer()
  question = "Where?\nAnswer Choices:\n(a) bank\n(b) river"
  asked = example(f"question: {question}")
  assert (
    postprocessors.answer_to(rule, "question: ")("(b)", example=asked)
    == "river"
  )
  # The exemplars of a prompt have choices, too.
  prompt = "Q: Who?\n(a) me\n(b) you\nA: As. So the answer is (b).\n\nQ: "
  path = tmp_path / "prompt.txt"
  path.write_text(f"{prompt}{{input}}\nA:")
  read = postprocessors.answer_to(rule, prompt=str(path))
  asked = example(f"{prompt}{question}\nA:")
  assert read("It flows. So the answer is (b).", example=asked) == "river"


def test_few_shot_answers_are_read_as_the_teacher_s(tmp_path):
  path = tmp_path / "prompt.txt"
  path.write_text("Q: {input}\nA:")
  read = postprocessors.answer_to(TextAnswer(), prompt=str(path))
  said = "Hm. So the answer is b.\n\nQ: next? So the answer is c."
  assert read(said, example=example("Q: x\nA:")) == "b"
  assert read("No idea", example=example("Q: x\nA:")) == ""
