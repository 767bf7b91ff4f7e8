"""Forms of listed choices: one text however the authors spell their rows."""

import pytest

from distill.data.published import choices

LISTED = "Where?\nAnswer Choices:\n(a) sea\n(b) land"
TEXTS = ("sea", "land")
LABELLED = [{"text": t, "label": x} for t, x in zip(TEXTS, "AB", strict=True)]


@pytest.mark.parametrize(
  "row",
  [
    # CoS-E, and CommonsenseQA as Distilling Step-by-Step releases it.
    {"question": "Where?", "choices": list(TEXTS), "answer": "land"},
    # QASC and ARC in TFDS, then as their authors have them; ARC's '1', '2'.
    {
      "question": "Where?",
      "choices": {"text": list(TEXTS), "label": ["A", "B"]},
      "answerKey": "B",
    },
    {
      "question": {"stem": "Where?", "choices": LABELLED},
      "answerKey": "B",
    },
    {
      "question": "Where?",
      "choices": {"text": list(TEXTS), "label": ["1", "2"]},
      "answerKey": "2",
    },
    # OpenBookQA in TFDS.
    {
      "question": {"choice_B": "land", "stem": "Where?", "choice_A": "sea"},
      "answerKey": "B",
    },
  ],
)
def test_listed_choices_have_one_form(row):
  assert choices.listed(row) == (LISTED, "land")


def test_the_other_forms_with_a_line_a_choice():
  row = {
    "instruction": "Please choose the correct answer to the question: Where?"
    "\n\nAnswer1: sea Answer2: land\n\nAnswer format: answer1/answer2",
    "answer": "answer2",
  }
  assert choices.openbookqa(row) == (LISTED, "land")
  row = {"question": "Where? (A) sea (B) land", "answer_index": 0}
  assert choices.quarel(row) == (LISTED, "sea")
  row = {"premise": "He slipped.", "question": "cause", "label": "choice2",
         "choice1": "It was dry.", "choice2": "There was ice."}  # fmt: skip
  assert choices.copa(row) == (
    "He slipped.\nWhat was the cause?\nAnswer Choices:\n"
    "(a) It was dry.\n(b) There was ice.",
    "There was ice.",
  )


def test_fine_tune_cots_letters():
  row = {"question": " How far? ", "options": ["A)2 m", "B)(3) m"]}
  assert choices.aqua({**row, "correct": "B"}) == (
    "How far? Answer choices: (A) 2 m, (B) (3) m.",
    "B",
  )
  row = {"input": "Ann has the ", "target_scores": {"red.": 0, "blue.": 1}}
  assert choices.big_bench(row) == (
    "Ann has the Which choice is true? Answer choices: (A) red, (B) blue.",
    "B",
  )


def test_shuffled_choices_are_in_the_order_of_the_published_preparation():
  # RandomState(0): permutation(3) is 2 1 0, and then 2 0 1.
  rows = [{"target_scores": {"x": 1, "y": 0, "z": 0}}] * 2
  first, second = choices.shuffled(rows)
  # Choice number i goes to place p[i].
  assert list(first["target_scores"]) == ["z", "y", "x"]
  assert list(second["target_scores"]) == ["y", "z", "x"]
  assert first["target_scores"]["x"] == 1
