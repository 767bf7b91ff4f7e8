"""The prices of tokens, in a table with sources and dates, and the budget.

The cost of a model that is not in the table is unknown, never zero.
"""

import asyncio
import datetime
import math
import pathlib
import re
import tomllib
from dataclasses import dataclass

from distill.errors import UserError
from distill.teacher.interface import AskingError, Request, Response

TABLE = pathlib.Path(__file__).parent / "prices.toml"
# Money is counted in these, so that sums are exact: 10^-12 US dollars.
_UNITS_A_DOLLAR = 10**12
# Around a prompt: roles and separators of a chat.
_OVERHEAD_TOKENS = 64
# Failures after which the server may have charged for the request.
_MAYBE_CHARGED = ("timeout", "connection", "malformed", "wrong_model", "empty")


@dataclass(frozen=True)
class Price:
  """US dollars for a million tokens, read and written, with the source.

  `date` is None where the user has given the price.
  """

  model: str
  input: float
  output: float
  source: str
  date: datetime.date | None = None

  def __post_init__(self) -> None:
    for name, price in (("input", self.input), ("output", self.output)):
      if not (math.isfinite(price) and price >= 0):
        raise ValueError(f"{name} is {price}, not a price")

  @property
  def reference(self) -> str:
    """Returns the source of the price and its date."""
    return f"{self.source}, {self.date}" if self.date else self.source

  def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
    """Returns the US dollars for these tokens."""
    return (
      prompt_tokens * self.input + completion_tokens * self.output
    ) / 1_000_000


# The price of a teacher that declares itself free.
FREE = Price("", 0.0, 0.0, "costs nothing", datetime.date(2026, 11, 21))


def find_price(model: str, path: str | None = None) -> Price | None:
  """Returns the price of a model, None where no row has it.

  A row covers its model and the dated versions of it: 'gpt-x-2025-01-31'.

  Raises:
    UserError: The table cannot be read.
  """
  table = pathlib.Path(path) if path else TABLE
  try:
    rows = tomllib.loads(table.read_text())["price"]
    prices = {row["model"]: Price(**row) for row in rows}
    undated = re.sub(r"-(\d{8}|\d{4}-\d{2}-\d{2})$", "", model)
    return prices.get(model) or prices.get(undated)
  except (OSError, ValueError, TypeError, LookupError) as error:
    raise UserError(
      f"The price table {table} cannot be read.",
      expected="[[price]] rows of model, input, output, source and date",
      found=f"{type(error).__name__}: {error}",
      remedy="correct the file, or leave out --prices",
    ) from error


def given_price(
  model: str, flag: str, price_in: float | None, price_out: float | None
) -> Price | None:
  """Returns the price that the user gave by two flags, None without them.

  Args:
    model: The model's name.
    flag: The start of the two flags: --price or --verify_price.
    price_in: US dollars for a million tokens read.
    price_out: The same for tokens written.

  Raises:
    UserError: One of them is missing or is not a price.
  """
  if price_in is None and price_out is None:
    return None
  names = f"{flag}_in and {flag}_out"
  prices = [math.nan if p is None else p for p in (price_in, price_out)]
  try:
    return Price(model, prices[0], prices[1], names)
  except ValueError as error:
    raise UserError(
      f"{names} do not give a price.",
      expected="both, in US dollars for a million tokens, 0 or more",
      found=f"{price_in} and {price_out}",
    ) from error


def dollars(amount: float | None) -> str:
  """Returns an amount as text: '$1.23', or 'unknown'."""
  if amount is None:
    return "unknown"
  return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


class Purse:
  """The money of one run, for all of its teachers.

  Attributes:
    max_cost: The most US dollars to spend, None for no limit.
  """

  def __init__(self, max_cost: float | None = None) -> None:
    self.max_cost = max_cost
    # Integers, so that the end of the last reservation leaves exactly zero.
    self._spent = self._reserved = 0
    self._freed = asyncio.Event()

  @property
  def spent(self) -> float:
    """Returns the US dollars spent so far."""
    return self._spent / _UNITS_A_DOLLAR

  async def take(self, amount: float) -> None:
    """Reserves US dollars, once they cannot lead beyond `max_cost`.

    Raises:
      AskingError: 'budget': they would, whatever requests in flight cost.
    """
    wanted = _units(amount)
    if self.max_cost is not None:
      most = _units(self.max_cost)
      while self._spent + self._reserved + wanted > most:
        if not self._reserved:
          raise AskingError(
            "budget",
            f"{dollars(self.spent)} of --max_cost={self.max_cost:g} are spent,"
            f" and the next request could cost {dollars(amount)}",
            False,
          )
        await self._freed.wait()
    self._reserved += wanted

  def give_back(self, amount: float, charged: float) -> None:
    """Ends a reservation and spends what was charged."""
    self._reserved -= _units(amount)
    self._spent += _units(charged)
    self.wake()

  def wake(self) -> None:
    """Lets waiting requests check the money again."""
    self._freed.set()
    self._freed = asyncio.Event()


def _units(amount: float) -> int:
  return round(amount * _UNITS_A_DOLLAR)


class Budget:
  """The price of one teacher, and the purse that pays it.

  Attributes:
    purse: The purse.
  """

  def __init__(self, price: Price | None, purse: Purse | None = None) -> None:
    self.purse = purse or Purse()
    self._price = price
    if self.purse.max_cost is not None and price is None:
      raise UserError(
        "--max_cost cannot be kept: a model's price is not known.",
        expected=f"the model in {TABLE.name}, in a table of yours or by flags",
        remedy="give --price_in and --price_out (for a judge"
        " --verify_price_in and --verify_price_out), or a table by --prices",
      )

  @property
  def spent(self) -> float | None:
    """Returns the US dollars spent, None where the price is unknown."""
    return None if self._price is None else self.purse.spent

  async def reserve(self, request: Request) -> float:
    """Returns the most that a request can cost, held until `settle`.

    Raises:
      AskingError: 'budget': there is not enough money.
    """
    most = self.most(request)
    if self._price is not None:
      await self.purse.take(most)
    return most

  def most(self, request: Request) -> float:
    """Returns the most that a request can cost, 0 if the price is unknown."""
    if self._price is None:
      return 0.0
    # No token is shorter than a byte.
    longest = len(request.prompt.encode("utf-8", "replace")) + _OVERHEAD_TOKENS
    return self._price.cost(longest, request.max_tokens)

  def settle(self, most: float, outcome: Response | AskingError | None) -> None:
    """Pays for the outcome of a request, None for none, and frees the rest."""
    if self._price is None:
      return
    charged = 0.0
    if isinstance(outcome, Response):
      charged = self._price.cost(
        outcome.prompt_tokens, outcome.completion_tokens
      )
    elif outcome is not None and outcome.kind in _MAYBE_CHARGED:
      charged = most
    self.purse.give_back(most, charged)
