"""Forms of published rows: row → input and label.

A form takes the authors' own fields, and those of other people's copies where
these are common. Labels are of the kind that the family's answer rule reads.
`listed` has a line for each choice and the right one's text for a label, as
Distilling Step-by-Step has CommonsenseQA; the lettered forms have all choices
in one line and a capital for a label, as Fine-tune-CoT has its sets.
"""

import functools
import math
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from distill.answers import arithmetic
from distill.data.examples import pair_of, shown, text_of
from distill.errors import UserError

Row = Mapping[str, Any]
# A row → its input and its label ('': unlabeled), or None: it is no example.
# Whole numbers are read as their digits.
Form = Callable[[Row], tuple[Any, Any] | None]


def read(form: Form, found: Iterable[tuple[str, Row]]) -> list[tuple[str, str]]:
  """Returns what a form makes of rows, less those that are no examples.

  Raises:
    UserError: A row, which `found` pairs with its name, is not of that form,
      its input or its label is no text, or its input is blank.
  """
  pairs = []
  for where, row in found:
    try:
      pair = form(row)
      if pair is not None:
        pairs.append(pair_of(pair, functools.partial(_field_name, row)))
    except Exception as error:  # Whatever a foreign row may lack.
      raise UserError(
        f"{where} is malformed.",
        expected=(form.__doc__ or "an example").split("\n")[0],
        found=reason(error, row),
        remedy="correct the row, or the form that reads it",
      ) from error
  return pairs


def reason(error: Exception, row: Any) -> str:
  """Returns, for a message, what an exception says is wrong with a row."""
  if isinstance(error, KeyError) and isinstance(row, Mapping):
    return f"no field {error}; the row has {', '.join(map(repr, row))}"
  if type(error) is ValueError:
    return str(error)
  said = f"{type(error).__name__}: {error}"
  if isinstance(row, Mapping) and isinstance(
    error, (AttributeError, TypeError)
  ):
    # What a form cannot work on; which field it is, only the form knows.
    for key, value in row.items():
      if not isinstance(value, str):
        said += f"; '{key}' is {shown(value)}"
  return said


def _field_name(row: Any, name: str, part: Any) -> str:
  """Returns what a part of an example is called, with the row's field."""
  fields = row.items() if isinstance(row, Mapping) else ()
  field = next((key for key, value in fields if value is part), None)
  return name if field is None else f"{name} (field '{field}')"


_LETTERS = string.ascii_uppercase


def _list(stem: str, choices: Sequence[str]) -> str:
  lettered = zip(string.ascii_lowercase, choices, strict=False)
  lines = "\n".join(f"({letter}) {text_of(text)}" for letter, text in lettered)
  return f"{text_of(stem)}\nAnswer Choices:\n{lines}"


def listed(row: Row) -> tuple[str, str]:
  """A question and '(a) …', '(b) …' in lines → the text of the right choice.

  The fields of CommonsenseQA, CoS-E, OpenBookQA, ARC and QASC; the row's
  `answer` is a choice's text, or its `answerKey` a choice's label.
  """
  stem: Any = row["question"]
  choices: Any = row.get("choices", ())
  if isinstance(stem, Mapping):
    columns = [key for key in stem if key.startswith("choice_")]
    choices = stem.get("choices") or [stem[key] for key in sorted(columns)]
    stem = stem["stem"]
  if isinstance(choices, Mapping):  # TFDS's columns
    texts, labels = list(choices["text"]), list(choices["label"])
  elif isinstance(choices[0], Mapping):
    texts, labels = ([c[key] for c in choices] for key in ("text", "label"))
  else:
    texts, labels = list(choices), list(_LETTERS[: len(choices)])
  if "answer" in row:
    return _list(stem, texts), row["answer"]
  return _list(stem, texts), texts[labels.index(row["answerKey"])]


def openbookqa(row: Row) -> tuple[str, str]:
  """As `listed`; also an 'instruction' that lists 'Answer1: … Answer2: …'."""
  if "instruction" not in row:
    return listed(row)
  asked = row["instruction"].partition("question: ")[2]
  stem, *choices = re.split(
    r"\s*Answer[0-9]: ", asked.rpartition("\n\nAnswer format")[0]
  )
  number = int(row["answer"].removeprefix("answer"))
  return _list(stem, choices), choices[number - 1]


def quarel(row: Row) -> tuple[str, str]:
  """A story that ends in '(A) … (B) …' → the text of the right choice."""
  stem, *choices = re.split(r"\s*\([A-Z]\)\s*", row["question"].strip())
  return _list(stem, choices), choices[int(row["answer_index"])]


def copa(row: Row) -> tuple[str, str]:
  """A premise, two causes or effects of it → the likelier one's text."""
  asked = {"cause": "What was the cause?", "effect": "What happened then?"}
  stem = f"{row['premise'].strip()}\n{asked[row['question']]}"
  choices = [row["choice1"], row["choice2"]]
  return _list(stem, choices), row[row["label"]]


def _letter(
  question: str, choices: Sequence[str], right: int
) -> tuple[str, str]:
  """Returns both as Fine-tune-CoT's published preparation writes them."""
  lettered = zip(_LETTERS, choices, strict=False)
  said = ", ".join(f"({letter}) {text.strip()}" for letter, text in lettered)
  return f"{question} Answer choices: {said}.", _LETTERS[right]


def aqua(row: Row) -> tuple[str, str]:
  """A question and options 'A)…' → the right one's letter."""
  choices = [option.partition(")")[2] for option in row["options"]]
  return _letter(
    row["question"].strip(), choices, _LETTERS.index(row["correct"])
  )


def big_bench(row: Row) -> tuple[str, str]:
  """A BIG-bench input and target scores → the letter of the one with 1."""
  scores = row["target_scores"]
  question = f"{row['input'].strip()} Which choice is true?"
  choices = [choice.removesuffix(".") for choice in scores]
  return _letter(question, choices, list(scores.values()).index(1))


def shuffled(rows: Iterable[Row]) -> Iterator[Row]:
  """Yields BIG-bench rows with the choices in another order each.

  In Date Understanding the first is nearly always right; this is the order of
  Fine-tune-CoT's published preparation.
  """
  state = np.random.RandomState(0)
  for row in rows:
    choices = list(row["target_scores"].items())
    places = state.permutation(len(choices))
    order = dict(zip(places.tolist(), choices, strict=True))
    yield {**row, "target_scores": dict(order[i] for i in range(len(choices)))}


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
  value = arithmetic.evaluate(left)
  label = answer
  if value is not None and value == arithmetic.evaluate(answer):
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


def released(row: Row) -> tuple[str, str]:
  """Question, choices, answer; premise, hypothesis, label; or input, label."""
  if "choices" in row:
    return listed(row)
  if "premise" in row:
    return nli(row)
  return row["input"], text_of(row["label"])
