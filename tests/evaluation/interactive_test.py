"""Typed inputs: what the model reads of them, and what is printed."""

import io

from distill import errors
from distill.evaluation import interactive


def test_a_foreign_task_is_asked_as_it_is_typed(
  student, partitioner, make_config, rows, read, questions, answers
):
  """No example is read, and an input that does not fit is said to be cut."""
  config = make_config(rows)
  typed = [questions[3], questions[4] + " and more"]
  screen = io.StringIO()
  interactive.converse(
    *(*student, config, partitioner),
    [f"{line}\n" for line in typed],
    screen,
  )
  assert not read
  # Twelve tokens are read; a question is ten, and its end.
  assert screen.getvalue().splitlines()[:2] == [
    "input>   output: " + errors.printable(answers[3]),
    "input>   (cut to 12 tokens)",
  ]
  assert screen.getvalue().endswith("\ninput> \n")
