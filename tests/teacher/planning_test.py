"""A plan: what a run would send and cost, before anything is sent."""

import datetime

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import collecting, planning, prices, styles
from distill.teacher.collecting import Collection
from distill.teacher.interface import Response
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.prompts import PromptTemplate

PRICE = prices.Price("m", 2.0, 10.0, "a page", datetime.date(2026, 1, 31))


class Silent:
  """A teacher who must not be asked."""

  name = "toy"


class Answering(Silent):
  """The same, who may be."""

  async def complete(self, request):
    return Response("\x1b[2J So the answer is 1.", "stop", 9, 5)


def plan(journal=None, price=PRICE, limits=None):
  # 40 characters a prompt: 10 tokens of usual text; one input twice.
  template = PromptTemplate("plain", "Q: {input}\nA:", "")
  sampling = styles.Sampling(max_tokens=100)
  rows = [Example(str(i), f"{i % 3}" * 34, "") for i in range(4)]
  collection = Collection(
    Silent(),
    styles.FewShot(template, NumberAnswer(), sampling),
    sampling,
    2,
    journal,
    limits=limits or Limits(),
    price=price,
  )
  made = planning.make_plan(rows, collection)
  return made, planning.report(made, collection)


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
    template = PromptTemplate("plain", "Q: {input}\nA:", "")
    style = styles.FewShot(
      template, NumberAnswer(), styles.Sampling(max_tokens=100)
    )
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
