"""The plan of a run before it, and its progress on a terminal and in a log."""

import datetime
import io
import json

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import collecting, prices, status, styles
from distill.teacher.attempts import Collection
from distill.teacher.interface import Response
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.prompts import PromptTemplate

PRICE = prices.Price("m", 2.0, 10.0, "a page", datetime.date(2026, 1, 31))
TEMPLATE = PromptTemplate("plain", "Q: {input}\nA:", "")
SAMPLING = styles.Sampling(max_tokens=100)


class Silent:
  """A teacher who must not be asked."""

  name = "toy"


class Answering(Silent):
  """The same, who may be: with one answer, which would clear a terminal."""

  async def complete(self, request):
    return Response("\x1b[2J So the answer is 1.", "stop", 9, 5)


@pytest.mark.parametrize("terminal", [False, True])
def test_status_is_a_panel_or_lines_of_json(terminal, tmp_path):
  stream = io.StringIO()
  stream.isatty = lambda: terminal
  with Journal(tmp_path) as journal:
    collection = Collection(
      Answering(), styles.FewShot(TEMPLATE, NumberAnswer()), journal=journal
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


def plan(journal=None, price=PRICE, limits=None):
  # 40 characters a prompt: 10 tokens of usual text; one input twice.
  rows = [Example(str(i), f"{i % 3}" * 34, "") for i in range(4)]
  collection = Collection(
    Silent(),
    styles.FewShot(TEMPLATE, NumberAnswer(), SAMPLING),
    SAMPLING,
    2,
    journal,
    limits=limits or Limits(),
    price=price,
  )
  made = status.make_plan(rows, collection)
  return made, status.plan_text(made, collection)


def test_a_plan_counts_each_request_once_with_its_cost():
  made, text = plan(limits=Limits(requests_per_minute=3))
  assert (made.samples, made.requests, made.repeated) == (8, 6, 2)
  assert "tokens      60 (44 to 96) read, 240 (60 to 600) written" in text
  # (60 · 2 + 240 · 10) / 1,000,000 dollars expected.
  assert "low $0.0007, expected $0.0025, high $0.0062" in text
  assert "a page, 2026-01-31" in text and "at least 120 s" in text
  assert "below      16  ####" in text


def test_stored_responses_cost_nothing(tmp_path):
  with Journal(tmp_path) as journal:
    style = styles.FewShot(TEMPLATE, NumberAnswer(), SAMPLING)
    collection = Collection(Answering(), style, journal=journal)
    rows = [Example("0", "0" * 34, "")]
    assert not collecting.ask_all(rows, collection, "failed.jsonl")
    made, _ = plan(journal=journal)
  assert (made.requests, made.cached, made.repeated) == (5, 1, 2)


def test_an_unknown_price_is_not_zero():
  _, text = plan(price=None)
  assert "low unknown, expected unknown, high unknown" in text
  assert "$" not in text and prices.dollars(None) == "unknown"
  assert prices.find_price("nobody-s-model") is None
  assert prices.Budget(None).spent is None
