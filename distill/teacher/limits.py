"""Limits on requests: how many at once, how fast, and when to retry.

The first request is sent alone, so that a server that refuses every request
refuses one. Then the number of concurrent requests adapts as TCP's window does.
It doubles until the server first refuses for its load (429, 503, a time-out);
after that it grows by one for each round of responses. A round of such refusals
halves it, and a part of a round takes its part (Alizadeh et al. 2010), so that
the concurrency stays just below what the server accepts.
"""

import asyncio
import collections
import random
import time
from dataclasses import dataclass

from distill.errors import require
from distill.teacher.interface import AskingError

_START = 16
# Seconds to wait for the first response before sending more requests.
_ALONE_SECONDS = 10.0
# Failures of the first request that say nothing about other requests.
_OWN_FAILURES = ("timeout", "server", "connection")
_OVERLOAD = ("rate_limited", "overloaded", "timeout")
_BURST_SECONDS = 1.0


@dataclass(frozen=True)
class Limits:
  """The limits that the user sets.

  Attributes:
    max_concurrency: The most requests in flight.
    requests_per_minute: The most requests sent in a minute, None for no limit.
    tokens_per_minute: The most tokens read and written in a minute, None for no
      limit.
  """

  max_concurrency: int = 256
  requests_per_minute: float | None = None
  tokens_per_minute: float | None = None

  def __post_init__(self) -> None:
    for name, value in vars(self).items():
      require(f"--{name}", value, value is None or value >= 1, "1 or more")

  def seconds(self, requests: int, tokens: float) -> float:
    """Returns the fewest seconds that these take within the two rates."""
    needed = 0.0
    if self.requests_per_minute:
      needed = 60 * requests / self.requests_per_minute
    if self.tokens_per_minute:
      needed = max(needed, 60 * tokens / self.tokens_per_minute)
    return needed


@dataclass(frozen=True)
class RetryPolicy:
  """Exponential back-off with jitter, for every teacher.

  Attributes:
    attempts: How often a request is sent before it counts as failed.
    first: Mean seconds before the second attempt.
    longest: The most seconds of back-off between two attempts.
    longest_asked: The most seconds that a server's Retry-After may ask for.
    timeout: Seconds that one attempt may take, from first to last byte.
  """

  attempts: int = 10
  first: float = 0.5
  longest: float = 60.0
  longest_asked: float = 900.0
  timeout: float = 600.0

  def delay(self, attempt: int, error: AskingError) -> float | None:
    """Returns the seconds to wait after a failure, None to give up.

    Args:
      attempt: How often the request was sent so far.
      error: Its last failure.
    """
    if not error.retryable or attempt >= self.attempts:
      return None
    mean = min(self.longest, self.first * 2.0 ** (attempt - 1))
    # Requests that failed together must not be retried together.
    delay = mean * random.uniform(0.5, 1.5)
    if error.retry_after is None:
      return delay
    return min(error.retry_after, self.longest_asked) + 0.1 * delay


class _Pace:
  """Spreads amounts over time, at a rate a minute."""

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
  """Admits requests while there are slots; adapts the number of slots.

  Attributes:
    concurrency: How many requests may be in flight now.
    active: How many requests are in flight.
    stopped: Set once nothing needs to wait for the rates any more.
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
    """Returns how many requests may be in flight now."""
    return int(self._window)

  @property
  def waiting(self) -> int:
    """Returns how many requests wait for a slot."""
    return len(self._waiting)

  async def enter(self, tokens: int) -> None:
    """Returns once a request of about `tokens` tokens may be sent.

    It holds a slot until `leave`.
    """
    await self._enter()
    if self._alone and self._opening is None:
      loop = asyncio.get_running_loop()
      self._opening = loop.call_later(_ALONE_SECONDS, self._open)
    wait = max(self._requests.take(1), self._tokens.take(tokens))
    if not wait:
      return
    try:
      await self.pause(wait)
    except asyncio.CancelledError:
      self.leave()
      raise

  async def pause(self, seconds: float) -> bool:
    """Waits, at most until `stopped`; returns whether that is set."""
    try:
      return await asyncio.wait_for(self.stopped.wait(), seconds)
    except TimeoutError:
      return False

  def leave(self, failure: AskingError | None = None) -> None:
    """Frees a slot; the request that has waited longest gets it.

    Args:
      failure: Of the request, None for a response.
    """
    if failure is None or failure.kind in _OWN_FAILURES:
      self._open()
    if failure is None:
      self._grow()
    elif failure.kind in _OVERLOAD:
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
    # A window that is not full says nothing about what the server accepts.
    if self.active >= self.concurrency - 1:
      step = 1.0 if self._doubling else 1.0 / self._window
      self._window = min(self._window + step, self._limits.max_concurrency)

  def _shrink(self) -> None:
    self._doubling = False
    self._window = max(1.0, self._window - 0.5)
