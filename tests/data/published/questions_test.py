"""Forms of questions: the authors' own rows, made up here, and what comes."""

import pytest

from distill.data.published import questions


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
  assert getattr(questions, form)(row) == pair


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
  assert questions.asdiv(row) == (label and ("B.\nQ?", label))


def test_boolqs_contrast_set_gives_its_perturbed_questions_with_answers():
  legend = {"paragraph": "P", "question": "Q", "perturbed_questions": [
    {"perturbed_q": "Q", "answer": "New Answer"}]}  # fmt: skip
  asked = [{"perturbed_q": "x", "answer": "FALSE"},
           {"perturbed_q": "y", "answer": ""}]  # fmt: skip
  entry = {"paragraph": "P", "question": "z", "answer": "TRUE",
           "perturbed_questions": asked}  # fmt: skip
  assert list(questions.perturbed_boolq([legend, entry])) == [
    {"passage": "P", "question": "x", "answer": "FALSE"}
  ]
