"""Forms of listed choices: one text however the authors spell their rows."""

import pytest

from distill.data.published import forms

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
  assert forms.listed(row) == (LISTED, "land")


def test_the_other_forms_with_a_line_a_choice():
  row = {
    "instruction": "Please choose the correct answer to the question: Where?"
    "\n\nAnswer1: sea Answer2: land\n\nAnswer format: answer1/answer2",
    "answer": "answer2",
  }
  assert forms.openbookqa(row) == (LISTED, "land")
  row = {"question": "Where? (A) sea (B) land", "answer_index": 0}
  assert forms.quarel(row) == (LISTED, "sea")
  row = {"premise": "He slipped.", "question": "cause", "label": "choice2",
         "choice1": "It was dry.", "choice2": "There was ice."}  # fmt: skip
  assert forms.copa(row) == (
    "He slipped.\nWhat was the cause?\nAnswer Choices:\n"
    "(a) It was dry.\n(b) There was ice.",
    "There was ice.",
  )


def test_fine_tune_cots_letters():
  row = {"question": " How far? ", "options": ["A)2 m", "B)(3) m"]}
  assert forms.aqua({**row, "correct": "B"}) == (
    "How far? Answer choices: (A) 2 m, (B) (3) m.",
    "B",
  )
  row = {"input": "Ann has the ", "target_scores": {"red.": 0, "blue.": 1}}
  assert forms.big_bench(row) == (
    "Ann has the Which choice is true? Answer choices: (A) red, (B) blue.",
    "B",
  )


def test_shuffled_choices_are_in_the_order_of_the_published_preparation():
  # RandomState(0): permutation(3) is 2 1 0, and then 2 0 1.
  rows = [{"target_scores": {"x": 1, "y": 0, "z": 0}}] * 2
  first, second = forms.shuffled(rows)
  # Choice number i goes to place p[i].
  assert list(first["target_scores"]) == ["z", "y", "x"]
  assert list(second["target_scores"]) == ["y", "z", "x"]
  assert first["target_scores"]["x"] == 1


@pytest.mark.parametrize(
  "form, row, pair",
  [
    (
      "nli",
      {"premise": "It rains.", "hypothesis": "It is wet.", "label": 0},
      ("premise: It rains. hypothesis: It is wet.", "entailment"),
    ),
    (
      "nli",
      {"context": "It rains.", "hypothesis": "It is dry.", "label": "c"},
      ("premise: It rains. hypothesis: It is dry.", "contradiction"),
    ),
    (
      "word_problem",
      {"sQuestion": " 2 and 3 ? ", "lSolutions": [5.0], "iIndex": 1},
      ("2 and 3 ?", "5"),
    ),
    (
      "word_problem",
      {"sQuestion": "Half of 5?", "lSolutions": ["2.5"]},
      ("Half of 5?", "2.5"),
    ),
    (
      "word_problem",
      {"question": "2 and 3?", "answer": 5.0, "pred": 6.0},
      ("2 and 3?", "5"),
    ),
    (
      "svamp",
      {"Body": "He has 2.", "Question": "And 3?", "Equation": "( 2.0 + 3.0 )"},
      ("He has 2.\nAnd 3?", "( 2.0 + 3.0 )"),
    ),
    (
      "gsm8k",
      {"question": "How many?", "answer": "2*500=<<2*500=1000>>\n#### 1,000"},
      ("How many?", "1,000"),
    ),
    ("strategy_qa", {"question": "Is it?", "answer": False}, ("Is it?", "no")),
    (
      "strategy_qa",
      {"input": "Can it?", "target_scores": {"Yes": 1, "No": 0}},
      ("Can it?", "yes"),
    ),
    (
      "boolq",
      {"passage": "It can.", "question": "can it", "answer": "TRUE"},
      ("It can.\ncan it?", "yes"),
    ),
    (
      "boolq",
      {"passage": "It can.", "question": "can it?", "answer": False},
      ("It can.\ncan it?", "no"),
    ),
    (
      "mctaco",
      {"sentence": "He slept.", "question": "How long?", "answer": "a week",
       "label": "no"},
      ("He slept.\nHow long?\nIs it: a week?", "no"),
    ),
    (
      "corr2cause",
      {"input": "Premise: A. Hypothesis: B.", "label": 1},
      ("Premise: A. Hypothesis: B.\nDoes the hypothesis follow?", "yes"),
    ),
    ("sentiment", {"text": "Bad.", "label": "neg"}, ("Bad.", "negative")),
    (
      "sentiment",
      {"Text": "Good.", "Sentiment": "Positive"},
      ("Good.", "positive"),
    ),
  ],
)  # fmt: skip
def test_a_row_becomes_an_input_and_a_label(form, row, pair):
  assert getattr(forms, form)(row) == pair


@pytest.mark.parametrize(
  "formula, answer, label",
  [
    ("7+2=9", "9 (apples)", "( 7 + 2 )"),
    ("(9-6)*2=6", "6 (cupcakes)", "( ( 9 - 6 ) * 2 )"),
    # A quotient with its remainder, rounded up in the answer.
    ("810/4=202 r2", "203 (boxes)", "203"),
    ("LCM[11,3]=33", "33 (days)", "33"),
    ("1000+234=1234", "1,234 (m)", "( 1000 + 234 )"),
    ("360:420=6:7", "6:7", None),
    ("5>4", "Mike", None),
  ],
)
def test_asdivs_formulas_become_equations_like_svamps(formula, answer, label):
  row = {"Body": "B.", "Question": "Q? ", "Answer": answer, "Formula": formula}
  assert forms.asdiv(row) == (label and ("B.\nQ?", label))


def test_boolqs_contrast_set_gives_its_perturbed_questions_with_answers():
  legend = {"paragraph": "P", "question": "Q", "perturbed_questions": [
    {"perturbed_q": "Q", "answer": "New Answer"}]}  # fmt: skip
  asked = [{"perturbed_q": "x", "answer": "FALSE"},
           {"perturbed_q": "y", "answer": ""}]  # fmt: skip
  entry = {"paragraph": "P", "question": "z", "answer": "TRUE",
           "perturbed_questions": asked}  # fmt: skip
  assert list(forms.perturbed_boolq([legend, entry])) == [
    {"passage": "P", "question": "x", "answer": "FALSE"}
  ]
