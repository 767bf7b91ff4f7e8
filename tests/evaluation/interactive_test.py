"""The terminal: what it asks of a task, and what it prints."""

import io

from distill.evaluation import interactive


def test_nothing_that_moves_a_cursor_is_printed():
  assert interactive.printable("né 3 > 2") == "né 3 > 2"
  assert interactive.printable("\x1b[2J\r\n\u202e") == "\\x1b[2J\\r\\n\\u202e"


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
    "input>   output: " + interactive.printable(answers[3]),
    "input>   (cut to 12 tokens)",
  ]
  assert screen.getvalue().endswith("\ninput> \n")
