"""Rows as the authors of Distilling Step-by-Step released them."""

from distill.data.examples import text_of
from distill.data.published import choices, questions
from distill.data.published.rows import Row


def released(row: Row) -> tuple[str, str]:
  """Question, choices, answer; premise, hypothesis, label; or input, label."""
  if "choices" in row:
    return choices.listed(row)
  if "premise" in row:
    return questions.nli(row)
  return row["input"], text_of(row["label"])
