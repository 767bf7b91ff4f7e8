"""The progress of a run, on a terminal and in a log."""

import io
import json

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import collecting, status, styles
from distill.teacher.collecting import Collection
from distill.teacher.interface import Response
from distill.teacher.journal import Journal
from distill.teacher.prompts import PromptTemplate


class Answering:
  """A teacher with one answer, which would clear a terminal."""

  name = "toy"

  async def complete(self, request):
    return Response("\x1b[2J So the answer is 1.", "stop", 9, 5)


@pytest.mark.parametrize("terminal", [False, True])
def test_status_is_a_panel_or_lines_of_json(terminal, tmp_path):
  stream = io.StringIO()
  stream.isatty = lambda: terminal
  template = PromptTemplate("plain", "Q: {input}\nA:", "")
  with Journal(tmp_path) as journal:
    collection = Collection(
      Answering(), styles.FewShot(template, NumberAnswer()), journal=journal
    )
    rows = [Example(str(i), str(i), "") for i in range(3)]
    display = status.display_on(stream, "toy/train")
    collecting.ask_all(rows, collection, "failed.jsonl", display)
  said = stream.getvalue()
  assert "\x1b[2J" not in said
  if terminal:
    assert "3 of 3" in said and "cost unknown" in said and "toy/train" in said
    return
  first, last = map(json.loads, said.splitlines())
  assert (first["done"], last["done"], last["of"]) == (0, 3, 3)
  assert last["answered"] == 3 and last["cost"] == "unknown"
