"""Forms of questions with listed choices: row → input and label.

`listed` has a line for each choice and the right one's text for a label, as
Distilling Step-by-Step has CommonsenseQA; the lettered forms have all choices
in one line and a capital for a label, as Fine-tune-CoT has its sets.
"""

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from distill.data.examples import text_of
from distill.data.published.rows import Row

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
