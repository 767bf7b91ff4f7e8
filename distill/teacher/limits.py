"""How much is asked at once: as much as the server takes, within given caps.

The first request goes alone, so that a server that refuses all refuses one.
Then concurrency adapts as TCP's window does: it doubles until the server first
pushes back (429, 503, a time-out), and grows by one for each round of answers
after that. A round of push-backs alone halves it, and a part of one takes its
part (Alizadeh et al. 2010), so that it stays just below what the server takes.
"""

import asyncio
import collections
import time
from dataclasses import dataclass

from distill.errors import UserError
from distill.teacher.interface import AskingError

_START = 16
# How long the first request is waited for before others follow it.
_ALONE_SECONDS = 10.0
# Failures of a first request that say nothing about the others.
_OWN_FAILURES = ("timeout", "server", "connection")
_PUSH_BACK = ("rate_limited", "overloaded", "timeout")
_BURST_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
  """What the user allows.

  Attributes:
    max_concurrency: The most requests under way.
    requests_per_minute: The most requests sent in a minute; None: any number.
    tokens_per_minute: The same for tokens, read and written.
  """

  max_concurrency: int = 256
  requests_per_minute: float | None = None
  tokens_per_minute: float | None = None

  def __post_init__(self) -> None:
    for name, value in vars(self).items():
      if value is not None and not value >= 1:
        raise UserError(
          f"A teacher cannot be asked within --{name}={value}.",
          expected="1 or more",
        )

  def seconds(self, requests: int, tokens: float) -> float:
    """Returns the least seconds that so much takes within the two rates."""
    needed = 0.0
    if self.requests_per_minute:
      needed = 60 * requests / self.requests_per_minute
    if self.tokens_per_minute:
      needed = max(needed, 60 * tokens / self.tokens_per_minute)
    return needed


class _Pace:
  """Spreads amounts over time, at a rate a second."""

  def __init__(self, per_minute: float | None) -> None:
    self._rate = (per_minute or 0) / 60
    self._free = time.monotonic()

  def take(self, amount: float) -> float:
    """Returns the seconds to wait before `amount` may be used."""
    if not self._rate:
      return 0.0
    now = time.monotonic()
    # What was not used in the last second may be used now, no more.
    self._free = max(self._free, now - _BURST_SECONDS) + amount / self._rate
    return max(0.0, self._free - now)


class Limiter:
  """A place for each request under way; `concurrency` says how many there are.

  Attributes:
    concurrency: How many requests may be under way now.
    active: How many are.
    stopped: Set where nobody need wait for the rates any more.
  """

  def __init__(self, limits: Limits) -> None:
    self._limits = limits
    self._window = 1.0
    self._alone = True
    self._doubling = True
    self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
    self._requests = _Pace(limits.requests_per_minute)
    self._tokens = _Pace(limits.tokens_per_minute)
    self._opening: asyncio.TimerHandle | None = None
    self.active = 0
    self.stopped = asyncio.Event()

  @property
  def concurrency(self) -> int:
    """Returns how many requests may be under way now."""
    return int(self._window)

  @property
  def waiting(self) -> int:
    """Returns how many requests wait for a place."""
    return len(self._waiting)

  async def enter(self, tokens: int) -> None:
    """Returns once a request of about `tokens` tokens may be sent.

    It holds a place until `leave`.
    """
    await self._enter()
    if self._alone and self._opening is None:
      loop = asyncio.get_running_loop()
      self._opening = loop.call_later(_ALONE_SECONDS, self._open)
    wait = max(self._requests.take(1), self._tokens.take(tokens))
    if not wait:
      return
    try:
      await asyncio.wait_for(self.stopped.wait(), wait)
    except TimeoutError:
      return
    except asyncio.CancelledError:
      self.leave()
      raise

  def leave(self, failure: AskingError | None = None) -> None:
    """Gives a place back; those that have waited longest get what is free.

    Args:
      failure: Says whether the server pushed back.
    """
    if failure is None or failure.kind in _OWN_FAILURES:
      self._open()
    if failure is None:
      self._grow()
    elif failure.kind in _PUSH_BACK:
      self._shrink()
    self._leave()

  async def _enter(self) -> None:
    if self.active < self.concurrency and not self._waiting:
      self.active += 1
      return
    turn = asyncio.get_running_loop().create_future()
    self._waiting.append(turn)
    try:
      await turn
    except asyncio.CancelledError:
      if turn.done() and not turn.cancelled():
        self._leave()
      raise

  def _leave(self) -> None:
    self.active -= 1
    self._admit()

  def _open(self) -> None:
    """Lets more than the first request through."""
    if self._alone:
      self._alone = False
      self._window = float(min(_START, self._limits.max_concurrency))
      self._admit()

  def _admit(self) -> None:
    while self._waiting and self.active < self.concurrency:
      turn = self._waiting.popleft()
      if not turn.done():
        turn.set_result(None)
        self.active += 1

  def _grow(self) -> None:
    # A window that is not used says nothing about what the server takes.
    if self.active >= self.concurrency - 1:
      step = 1.0 if self._doubling else 1.0 / self._window
      self._window = min(self._window + step, self._limits.max_concurrency)

  def _shrink(self) -> None:
    self._doubling = False
    self._window = max(1.0, self._window - 0.5)
