"""The price table, prices by flags, and the money of a run."""

import asyncio
import datetime
import random
import tomllib

import pytest

from distill.errors import UserError
from distill.teacher import prices
from distill.teacher.interface import AskingError

TABLE = """
[[price]]
model = "m"
input = 2.0
output = 10.0
source = "a page"
date = 2026-01-31
"""
PRICE = prices.Price("m", 2.0, 10.0, "a page", datetime.date(2026, 1, 31))


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
def test_both_flags_of_a_price_are_needed(pair):
  with pytest.raises(UserError, match="--price_in and --price_out"):
    prices.given_price("m", "--price", *pair)
  assert prices.given_price("m", "--price", None, None) is None


def test_an_empty_purse_does_not_wait():
  # Sums of floats leave a residue, which looked like a request in flight.
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
