"""What tokens cost: a table with sources and dates, and a budget.

A model that the table does not have costs an unknown sum, never nothing.
"""

import asyncio
import datetime
import pathlib
import re
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from distill.errors import UserError
from distill.teacher.interface import AskingError, Request, Response

TABLE = pathlib.Path(__file__).parent / "prices.toml"
# Around a prompt: roles and separators of a chat.
_OVERHEAD_TOKENS = 64
# The server may have worked, and charged, before these.
_MAYBE_CHARGED = ("timeout", "connection", "malformed", "wrong_model")


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


class Reservation:
  """The most that a request under way can cost."""

  def __init__(self, most: float) -> None:
    self.most = most
    self.answered: Response | None = None

  def pay(self, response: Response) -> None:
    """Says what came for it."""
    self.answered = response


class Budget:
  """Lets no request go that could take a run beyond `max_cost`.

  Attributes:
    spent: US dollars so far, None where the price is unknown.
  """

  def __init__(self, price: Price | None, max_cost: float | None) -> None:
    if max_cost is not None and price is None:
      raise UserError(
        "--max_cost cannot be kept: the model's price is not known.",
        expected=f"the model in {TABLE.name} or in a table of yours",
        remedy="write its row into a file and give that by --prices",
      )
    self._price = price
    self._max_cost = max_cost
    self._reserved = 0.0
    self._freed = asyncio.Event()
    self.spent = 0.0 if price else None

  def wake(self) -> None:
    """Lets those that wait for money look again."""
    self._freed.set()
    self._freed = asyncio.Event()

  @asynccontextmanager
  async def reserved(self, request: Request) -> AsyncIterator[Reservation]:
    """Holds the money for a request while it is under way.

    Raises:
      AskingError: 'budget': it could go beyond the budget, and nothing that
        is under way can change that.
    """
    if self._price is None or self.spent is None:
      yield Reservation(0.0)
      return
    # No token is shorter than a byte.
    longest = len(request.prompt.encode("utf-8", "replace")) + _OVERHEAD_TOKENS
    reservation = Reservation(self._price.cost(longest, request.max_tokens))
    await self._wait_for(reservation.most)
    self._reserved += reservation.most
    charged = 0.0
    try:
      yield reservation
    except AskingError as error:
      charged = reservation.most if error.kind in _MAYBE_CHARGED else 0.0
      raise
    finally:
      answer = reservation.answered
      if answer is not None:
        charged = self._price.cost(
          answer.prompt_tokens, answer.completion_tokens
        )
      self.spent += charged
      self._reserved -= reservation.most
      self.wake()

  async def _wait_for(self, amount: float) -> None:
    if self._max_cost is None or self.spent is None:
      return
    while self.spent + self._reserved + amount > self._max_cost:
      if self._reserved < 1e-12:
        raise AskingError(
          "budget",
          f"{dollars(self.spent)} of --max_cost={self._max_cost:g} are spent,"
          f" and the next request could cost {dollars(amount)}",
          False,
        )
      await self._freed.wait()
