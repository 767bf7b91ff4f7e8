"""What tokens cost: a table with sources and dates, and a budget.

A model that the table does not have costs an unknown sum, never nothing.
"""

import asyncio
import datetime
import pathlib
import re
import tomllib
from dataclasses import dataclass

from distill.errors import UserError
from distill.teacher.interface import AskingError, Request, Response

TABLE = pathlib.Path(__file__).parent / "prices.toml"
# Around a prompt: roles and separators of a chat.
_OVERHEAD_TOKENS = 64
# The server may have worked, and charged, before these.
_MAYBE_CHARGED = ("timeout", "connection", "malformed", "wrong_model", "empty")


@dataclass(frozen=True)
class Price:
  """US dollars for a million tokens, read and written; whence and when."""

  model: str
  input: float
  output: float
  source: str
  date: datetime.date

  def cost(self, prompt_tokens: float, completion_tokens: float) -> float:
    """Returns the US dollars for so many tokens."""
    return (
      prompt_tokens * self.input + completion_tokens * self.output
    ) / 1_000_000


# Of a teacher that says so itself; unlike a price that nobody knows.
FREE = Price("", 0.0, 0.0, "costs nothing", datetime.date(2026, 11, 21))


def find_price(model: str, path: str | None = None) -> Price | None:
  """Returns a model's price, None where no row has it.

  A row covers its model and the dated versions of it: 'gpt-x-2025-01-31'.

  Raises:
    UserError: The table cannot be read.
  """
  table = pathlib.Path(path) if path else TABLE
  try:
    rows = tomllib.loads(table.read_text())["price"]
    prices = {row["model"]: Price(**row) for row in rows}
    undated = re.sub(r"-(\d{8}|\d{4}-\d{2}-\d{2})$", "", model)
    found = prices.get(model) or prices.get(undated)
    if found:
      found.cost(1, 1)
    return found
  except (OSError, ValueError, TypeError, LookupError) as error:
    raise UserError(
      f"The price table {table} cannot be read.",
      expected="[[price]] rows of model, input, output, source and date",
      found=f"{type(error).__name__}: {error}",
      remedy="mend the file, or leave out --prices",
    ) from error


def dollars(amount: float | None) -> str:
  """Returns an amount to be shown: '$1.23', or 'unknown'."""
  if amount is None:
    return "unknown"
  return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


class Purse:
  """The money of one run, for all teachers that it asks.

  Attributes:
    max_cost: The most US dollars to spend, None: any sum.
    spent: So far.
    reserved: For requests under way.
  """

  def __init__(self, max_cost: float | None = None) -> None:
    self.max_cost = max_cost
    self.spent = self.reserved = 0.0
    self._freed = asyncio.Event()

  async def take(self, amount: float) -> None:
    """Reserves an amount, once it is sure not to lead beyond `max_cost`.

    Raises:
      AskingError: 'budget': nothing that is under way can make it so.
    """
    if self.max_cost is not None:
      while self.spent + self.reserved + amount > self.max_cost:
        if self.reserved < 1e-12:
          raise AskingError(
            "budget",
            f"{dollars(self.spent)} of --max_cost={self.max_cost:g} are spent,"
            f" and the next request could cost {dollars(amount)}",
            False,
          )
        await self._freed.wait()
    self.reserved += amount

  def give_back(self, amount: float, charged: float) -> None:
    """Ends a reservation: what was charged is spent."""
    self.reserved -= amount
    self.spent += charged
    self.wake()

  def wake(self) -> None:
    """Lets those that wait for money look again."""
    self._freed.set()
    self._freed = asyncio.Event()


class Budget:
  """One teacher's prices, and the purse that they are paid from.

  Attributes:
    purse: Where the money is.
  """

  def __init__(self, price: Price | None, purse: Purse | None = None) -> None:
    self.purse = purse or Purse()
    self._price = price
    if self.purse.max_cost is not None and price is None:
      raise UserError(
        "--max_cost cannot be kept: a model's price is not known.",
        expected=f"the model in {TABLE.name} or in a table of yours",
        remedy="write its row into a file and give that by --prices",
      )

  @property
  def spent(self) -> float | None:
    """Returns the US dollars so far, None where the price is unknown."""
    return None if self._price is None else self.purse.spent

  async def reserve(self, request: Request) -> float:
    """Returns the most that a request can cost, held until `settle`.

    Raises:
      AskingError: 'budget': there is not enough.
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
    """Pays for what came of a request, None for nothing, and frees the rest."""
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
