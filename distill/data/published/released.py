"""Rows as the authors of Distilling Step-by-Step released them."""

from collections.abc import Mapping
from typing import Any

from distill.data.published import esnli
from distill.errors import UserError

_NLI_LABELS = ("entailment", "neutral", "contradiction")


def input_and_label(row: Mapping[str, Any], where: str) -> tuple[str, str]:
  """Returns a row of CommonsenseQA, e-SNLI, ANLI, SVAMP or one like SVAMP's.

  Raises:
    UserError: The row, which is `where`, is none of these.
  """
  try:
    if "choices" in row:
      lettered = zip("abcdefghijklmnopqrstuvwxyz", row["choices"], strict=False)
      lines = "\n".join(f"({letter}) {text}" for letter, text in lettered)
      return f"{row['question']}\nAnswer Choices:\n{lines}", row["answer"]
    if "premise" in row:
      label = _NLI_LABELS[int(row["label"])]
      return esnli.to_input(row["premise"], row["hypothesis"]), label
    return row["input"], str(row["label"])
  except (KeyError, IndexError, ValueError, TypeError) as error:
    raise UserError(
      f"{where} is malformed.",
      expected="question, choices and answer; premise, hypothesis and label;"
      " or input and label",
      found=f"{type(error).__name__}: {error}",
    ) from error
