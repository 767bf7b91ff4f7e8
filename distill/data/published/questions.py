"""Forms of questions without listed choices: row → input and label.

A form takes the authors' own fields, and those of other people's copies where
these are common. Labels are of the kind that the family's answer rule reads.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from distill.answers import expressions
from distill.data.examples import text_of
from distill.data.published.rows import Row

NLI_LABELS = ("entailment", "neutral", "contradiction")
_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
_TOKEN = re.compile(r"[0-9.]+|[-+*/()]")


def nli(row: Row) -> tuple[str, str]:
  """'premise: … hypothesis: …' → entailment, neutral or contradiction."""
  premise = row["premise"] if "premise" in row else row["context"]
  hypothesis = text_of(row["hypothesis"])
  text = f"premise: {text_of(premise)} hypothesis: {hypothesis}"
  label = text_of(row["label"])
  if label.isdigit():
    return text, NLI_LABELS[int(label)]
  # ANLI's are e, n and c.
  return text, _named(label, NLI_LABELS)


def _named(start: str, names: tuple[str, ...]) -> str:
  if not start:
    raise ValueError("the label is blank")
  return next(name for name in names if name.startswith(start))


def word_problem(row: Row) -> tuple[str, str]:
  """A word problem → the number that solves it, 43 for 43.0."""
  theirs = "sQuestion" in row
  question = row["sQuestion" if theirs else "question"].strip()
  return question, _number(row["lSolutions"][0] if theirs else row["answer"])


def _number(value: Any) -> str:
  if not isinstance(value, float):
    value = text_of(value)
  text = str(value).strip().removesuffix(".0")
  if not math.isfinite(float(text)):
    raise ValueError(f"{value} is no number")
  return text


def svamp(row: Row) -> tuple[str, str]:
  r"""Body + '\n' + Question → Equation, such as '( 84.0 / 2.0 )'."""
  if not row["Equation"].strip():
    raise ValueError("the equation is blank")
  parts = text_of(row["Body"]), text_of(row["Question"])
  return "\n".join(parts), row["Equation"]


def asdiv(row: Row) -> tuple[str, str] | None:
  r"""Body + '\n' + Question → an expression like SVAMP's, '( 7 + 2 )'.

  It is the left of the Formula where that has the Answer's value, else the
  Answer's number; a row whose answer is no number ('6:7', 'Mike') is left out.
  """
  number = _NUMBER.match(row["Answer"].strip())
  if number is None or ":" in row["Answer"]:
    return None
  answer = number[0].replace(",", "")
  left = row["Formula"].partition("=")[0]
  value = expressions.evaluate(left)
  label = answer
  if value is not None and value == expressions.evaluate(answer):
    label = f"( {' '.join(_TOKEN.findall(left))} )"
  return f"{row['Body'].strip()}\n{row['Question'].strip()}", label


def gsm8k(row: Row) -> tuple[str, str]:
  """A word problem → the number after '####'."""
  return row["question"].strip(), row["answer"].split("#### ")[1].strip()


def _yes_or_no(value: Any) -> str:
  answers = {"true": "yes", "yes": "yes", "1": "yes"}
  answers |= {"false": "no", "no": "no", "0": "no"}
  return answers[str(value).strip().lower()]


def strategy_qa(row: Row) -> tuple[str, str]:
  """A question → yes or no."""
  if "target_scores" in row:
    return row["input"].strip(), _yes_or_no(row["target_scores"]["Yes"])
  return row["question"].strip(), _yes_or_no(row["answer"])


def boolq(row: Row) -> tuple[str, str]:
  """A passage and a question about it → yes or no."""
  question = row["question"].strip().rstrip("?")
  return f"{row['passage'].strip()}\n{question}?", _yes_or_no(row["answer"])


def perturbed_boolq(rows: Iterable[Row]) -> Iterator[Row]:
  """Yields the rows of BoolQ's contrast set: the perturbed questions.

  Its first entry, a legend, and the few without an answer are left out.
  """
  for row in rows:
    for asked in row["perturbed_questions"]:
      if asked["answer"] in ("TRUE", "FALSE"):
        fields = {"question": asked["perturbed_q"], "answer": asked["answer"]}
        yield {"passage": row["paragraph"], **fields}


def mctaco(row: Row) -> tuple[str, str]:
  """A sentence, a question about its time and an answer → yes or no."""
  sentence, question, answer = (
    text_of(row[name]) for name in ("sentence", "question", "answer")
  )
  asked = f"{sentence}\n{question}\nIs it: {answer}?"
  return asked, _yes_or_no(row["label"])


def corr2cause(row: Row) -> tuple[str, str]:
  """Correlations and a causal hypothesis → yes or no: does it follow?"""
  asked = f"{row['input'].strip()}\nDoes the hypothesis follow?"
  return asked, _yes_or_no(row["label"])


def sentiment(row: Row) -> tuple[str, str]:
  """A review → positive or negative."""
  theirs = "Text" in row
  label = row["Sentiment" if theirs else "label"].lower()
  text = row["Text" if theirs else "text"]
  return text, _named(label, ("negative", "positive"))
