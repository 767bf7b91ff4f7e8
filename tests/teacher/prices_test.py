"""What is known of prices, and what a plan says before anything is sent."""

import asyncio
import datetime
import io
import json
import random
import tomllib

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.errors import UserError
from distill.teacher import asking, collecting, planning, prices, status, styles
from distill.teacher.collection import Collection
from distill.teacher.interface import AskingError, Response
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.prompts import PromptTemplate

TABLE = """
[[price]]
model = "m"
input = 2.0
output = 10.0
source = "a page"
date = 2026-01-31
"""
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


def test_a_plan_counts_each_request_once_and_says_what_it_costs():
  made, text = plan(limits=Limits(requests_per_minute=3))
  assert (made.samples, made.requests, made.repeated) == (8, 6, 2)
  assert "tokens      60 (44 to 96) read, 240 (60 to 600) written" in text
  # (60 · 2 + 240 · 10) / 1,000,000 dollars expected.
  assert "low $0.0007, expected $0.0025, high $0.0062" in text
  assert "a page, 2026-01-31" in text and "at least 120 s" in text
  assert "below      16  ####" in text


def test_what_the_journal_has_costs_nothing_more(tmp_path):
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


def test_an_unknown_price_is_never_nothing():
  _, text = plan(price=None)
  assert "low unknown, expected unknown, high unknown" in text
  assert "$" not in text and prices.dollars(None) == "unknown"
  assert prices.find_price("nobody-s-model") is None
  assert asking.Asker(Silent()).budget.spent is None


# Where providers say what they charge.
PROVIDERS = {
  "claude": "https://platform.claude.com/",
  "gpt": "https://developers.openai.com/",
}


def test_the_table_quotes_the_providers_own_pages():
  rows = tomllib.loads(prices.TABLE.read_text())["price"]
  assert rows
  for row in rows:
    provider = PROVIDERS[row["model"].partition("-")[0]]
    assert row["source"].startswith(provider), row
    assert row["date"].year >= 2026 and 0 < row["input"] <= row["output"]


def test_the_table_covers_dated_names(tmp_path):
  dated = prices.find_price("claude-haiku-4-5-20251001")
  assert dated == prices.find_price("claude-haiku-4-5")
  path = tmp_path / "mine.toml"
  path.write_text(TABLE)
  assert prices.find_price("m", str(path)) == PRICE
  path.write_text("[[price]]\nmodel = 'm'")
  with pytest.raises(UserError, match="mine.toml"):
    prices.find_price("m", str(path))
  path.write_text(TABLE.replace("10.0", "-10.0"))
  with pytest.raises(UserError, match="not a price"):
    prices.find_price("m", str(path))


@pytest.mark.parametrize("pair", [(1.0, None), (None, 1.0), (-1.0, 1.0)])
def test_half_a_price_is_none(pair):
  with pytest.raises(UserError, match="--price_in and --price_out"):
    prices.given_price("m", "--price", *pair)
  assert prices.given_price("m", "--price", None, None) is None


def test_a_purse_that_is_empty_never_waits_for_money():
  # Sums of floats leave a residue, which looked like a request under way.
  async def spend():
    purse = prices.Purse(50.0)
    rng = random.Random(0)
    for _ in range(2000):
      amounts = [rng.uniform(0.01, 0.9) for _ in range(40)]
      for amount in amounts:
        await purse.take(amount)
      rng.shuffle(amounts)
      for amount in amounts:
        purse.give_back(amount, 0.0)
    purse.give_back(0.0, 49.75)
    await purse.take(0.25)
    purse.give_back(0.25, 0.25)
    assert purse.spent == 50.0
    with pytest.raises(AskingError, match="budget"):
      await asyncio.wait_for(purse.take(1e-9), 5)

  asyncio.run(spend())


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
