"""Sends many requests to a teacher at once, and never the same one twice."""

import asyncio
import contextlib
import gc
import itertools
import math
import re
import sys
import time
from collections.abc import (
  Awaitable,
  Callable,
  Coroutine,
  Iterable,
  Iterator,
  Sequence,
)
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

from distill.errors import printable
from distill.teacher.interface import (
  AskingError,
  AskOne,
  Request,
  Response,
  Teacher,
  refuse_empty,
)
from distill.teacher.journal import Journal
from distill.teacher.limits import Limiter, Limits, RetryPolicy
from distill.teacher.prices import Budget

T = TypeVar("T")
# A job sends any number of requests, one after another.
Job = Callable[[AskOne], Awaitable[T]]
_CHARACTERS_A_TOKEN = 4
# More jobs than requests in flight: some wait for the disk or for a retry.
_JOBS_A_REQUEST = 4
# Equal failures in a row that stop a run, and the kinds that count.
_MOST_FAILURES = 10
_COUNTED = ("refused", "empty", "malformed", "too_large", "timeout")
# Servers put a request's number, a time or a length into their messages.
_NUMBERED = re.compile(r"\w*\d\w*")
# New objects between two garbage collections; Python's own number is 700.
_NEW_OBJECTS = 50_000


@dataclass
class Tally:
  """Counts of requests by outcome; `retried` counts attempts."""

  answered: int = 0
  cached: int = 0
  failed: int = 0
  retried: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0


class FailuresInARow:
  """Counts equal failures without a success between them."""

  def __init__(self) -> None:
    self._last: tuple[str, str] | None = None
    self._count = 0
    self._timed_out = False
    self._last_success = -math.inf

  def end(self) -> None:
    """Counts a success."""
    self._last, self._count = None, 0
    self._last_success = time.monotonic()

  def is_first_timeout(self) -> bool:
    """Returns True at the first call, False at all others."""
    first, self._timed_out = not self._timed_out, True
    return first

  def add(
    self, error: AskingError, sent: float, served: bool
  ) -> AskingError | None:
    """Counts a failure.

    Args:
      error: The failure.
      sent: When its request was sent, by the monotonic clock. A request that
        was sent before the last success does not count.
      served: Whether the server is known to answer other requests. Then only
        time-outs stop the run.

    Returns:
      Why the run must stop, None where it may go on.
    """
    if error.kind not in _COUNTED or sent < self._last_success:
      return None
    this = error.kind, _NUMBERED.sub("#", error.detail)
    self._count = self._count + 1 if this == self._last else 1
    self._last = this
    if self._count < _MOST_FAILURES or (served and error.kind != "timeout"):
      return None
    row = f"{_MOST_FAILURES} requests in a row, the last: {error.detail}"
    return AskingError(error.kind, row, False)


class Asker:
  """Sends requests to one teacher, through the journal and within the limits.

  Attributes:
    tally: The counts, for a display.
    limiter: Knows how many requests are in flight.
    budget: Knows what was spent.
    done: The number of jobs that have a result.
  """

  def __init__(
    self,
    teacher: Teacher,
    journal: Journal,
    limits: Limits | None = None,
    policy: RetryPolicy | None = None,
    budget: Budget | None = None,
    partners: Sequence["Asker"] = (),
  ) -> None:
    self._teacher = teacher
    self._journal = journal
    self._policy = policy or RetryPolicy()
    self._partners = partners
    self._in_flight: dict[str, asyncio.Task[Response]] = {}
    self._reason: AskingError | None = None
    self._failures = FailuresInARow()
    self._timers: set[asyncio.Timeout] = set()
    self.limits = limits or Limits()
    self.limiter = Limiter(self.limits)
    self.budget = budget or Budget(None)
    self.tally = Tally()
    self.done = 0

  def stop(self, reason: AskingError) -> None:
    """Sends no further request; requests in flight are waited for.

    After a time-out they are cancelled. The partners, which answer the same
    jobs, stop too.
    """
    self._reason = self._reason or reason
    if reason.kind == "timeout":
      now = asyncio.get_running_loop().time()
      for timer in self._timers:
        if not timer.expired():
          timer.reschedule(now)
    self.limiter.stopped.set()
    self.budget.purse.wake()
    for partner in self._partners:
      partner.stop(reason)

  @property
  def stopped(self) -> AskingError | None:
    """Returns why the asker has stopped, None while it has not."""
    return self._reason

  async def ask(self, request: Request) -> Response:
    """Returns the response, from the journal or the teacher, once it is stored.

    Raises:
      AskingError: There is no response after all attempts of the policy.
    """
    key, *older = request.keys(self._teacher.name)
    first = self._in_flight.get(key)
    if first is not None:
      response = await asyncio.shield(first)
      self.tally.cached += 1
      return response
    answer = asyncio.create_task(self._answer(request, key, *older))
    self._in_flight[key] = answer
    try:
      return await answer
    finally:
      del self._in_flight[key]

  async def close(self) -> None:
    """Closes the teacher's connections, if it has any."""
    close = getattr(self._teacher, "close", None)
    if close is not None:
      await close()

  async def _answer(self, request: Request, key: str, *older: str) -> Response:
    """Returns a stored response, or a new one once it is stored."""
    journal = self._journal
    found = await journal.begin(key, *older)
    if isinstance(found, AskingError):
      raise found
    if found is not None:
      self.tally.cached += 1
      return found
    content = request.content(self._teacher.name)
    try:
      response = await self._send(request)
    except AskingError as error:
      if error.fatal:
        self.stop(error)
      if error.kind == "unsupported":
        # So that a style falls back in the same way in every run.
        await journal.store(key, content, error)
      else:
        await journal.release(key)
      raise
    await journal.store(key, content, response)
    self.tally.answered += 1
    self.tally.prompt_tokens += response.prompt_tokens
    self.tally.completion_tokens += response.completion_tokens
    return response

  async def _send(self, request: Request) -> Response:
    """Returns the teacher's response, after retries."""
    for attempt in itertools.count(1):
      try:
        return await self._attempt(request, attempt)
      except AskingError as error:
        delay = self._policy.delay(attempt, error)
        if delay is None or self._reason:
          raise
        self.tally.retried += 1
        if await self.limiter.pause(delay):
          raise
    raise AssertionError("unreachable")

  async def _attempt(self, request: Request, attempt: int) -> Response:
    """Returns the teacher's response to one attempt, within all limits."""
    expected = len(request.prompt) // _CHARACTERS_A_TOKEN + request.max_tokens
    failure: AskingError | None = None
    await self.limiter.enter(expected)
    sent = time.monotonic()
    try:
      response = refuse_empty(await self._complete(request))
      self._failures.end()
      return response
    except AskingError as error:
      failure = error
      self._note(error, attempt, sent)
      raise
    finally:
      self.limiter.leave(failure)

  def _note(self, error: AskingError, attempt: int, sent: float) -> None:
    """Stops where failures show that no request can succeed."""
    if self._reason:
      return
    silent = error.kind == "timeout"
    if silent and self._failures.is_first_timeout():
      line = (
        f"The server sent {error.detail} to a request;"
        f" {self.limiter.active - 1:,} more requests wait for an answer and"
        f" {self.limiter.waiting:,} wait to be sent."
      )
      print(printable(line), file=sys.stderr, flush=True)
    # One request that fails at each attempt says nothing about the others,
    # unless nothing was ever answered.
    if attempt > 1 and not (silent and not self.tally.answered):
      return
    # Responses in the journal show that the server answers such requests.
    served = self.tally.cached > 0 and not self.tally.answered
    reason = self._failures.add(error, sent, served)
    if reason is not None:
      self.stop(reason)

  async def _complete(self, request: Request) -> Response:
    """Returns the teacher's response, within the budget and in time."""
    outcome: Response | AskingError | None = None
    most = await self.budget.reserve(request)
    try:
      if self._reason:
        raise self._reason
      async with asyncio.timeout(self._policy.timeout) as timer:
        self._timers.add(timer)
        try:
          outcome = await self._teacher.complete(request)
        finally:
          self._timers.remove(timer)
      return outcome
    except TimeoutError:
      seconds = f"no whole answer in {self._policy.timeout:g} s"
      outcome = AskingError("timeout", seconds, True)
      raise outcome from None
    except AskingError as error:
      outcome = error
      raise
    finally:
      self.budget.settle(most, outcome)


async def run_jobs(
  jobs: Iterable[Job[T]],
  asker: Asker,
  *,
  on_result: Callable[[int, T], None],
  on_failure: Callable[[int, AskingError], None],
) -> None:
  """Runs jobs concurrently.

  Nothing is kept: the number of each job (from 0) is passed on with its result
  or failure as soon as it ends. Once the asker has stopped, no further job
  begins, and the jobs that had begun end.

  Args:
    jobs: Read one by one, when the next can begin.
    asker: Answers the requests of jobs.
    on_result: Takes the number of a job and what it returned.
    on_failure: Takes the number of a job and why it has no result, except
      where the reason is that the asker has stopped.

  Raises:
    Exception: The first other than an AskingError; the other jobs are
      cancelled.
  """
  numbered = enumerate(jobs)

  async def work() -> None:
    for number, job in numbered:
      try:
        on_result(number, await job(asker.ask))
        asker.done += 1
      except AskingError as error:
        if error.fatal:
          asker.stop(error)
        if error is not asker.stopped:
          asker.tally.failed += 1
          on_failure(number, error)
      if asker.stopped:
        return

  try:
    async with asyncio.TaskGroup() as group:
      for _ in range(_JOBS_A_REQUEST * asker.limits.max_concurrency):
        group.create_task(work())
  except ExceptionGroup as failures:
    raise failures.exceptions[0] from None


def run(main: Coroutine[Any, Any, T]) -> T:
  """Returns the result of a coroutine, run on a uvloop event loop of its own.

  That takes thousands of requests a second.
  """
  with (
    _rare_garbage_collection(),
    asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
  ):
    return runner.run(main)


@contextlib.contextmanager
def _rare_garbage_collection() -> Iterator[None]:
  """Collects garbage in cycles less often, which takes a fifth of all time.

  Asking leaves hardly any. Objects made before are not searched again.
  """
  thresholds = gc.get_threshold()
  gc.freeze()
  gc.set_threshold(_NEW_OBJECTS, *thresholds[1:])
  try:
    yield
  finally:
    gc.set_threshold(*thresholds)
    gc.unfreeze()
