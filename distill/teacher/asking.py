"""Asks a teacher many requests at once, and never twice for the same answer."""

import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distill.teacher.failures_in_a_row import FailuresInARow
from distill.teacher.interface import (
  AskingError,
  AskOne,
  Request,
  Response,
  Teacher,
  printable,
  refuse_empty,
)
from distill.teacher.journal import Journal
from distill.teacher.limits import Limiter, Limits
from distill.teacher.prices import Budget
from distill.teacher.retrying import RetryPolicy

T = TypeVar("T")
# A job asks as many requests as it needs, one after another.
Job = Callable[[AskOne], Awaitable[T]]
_CHARACTERS_A_TOKEN = 4
# So many more jobs than requests under way: some wait for the disk, or to be
# sent again.
_JOBS_A_REQUEST = 4


@dataclass
class Tally:
  """What became of the requests so far; `retried` counts attempts."""

  answered: int = 0
  cached: int = 0
  failed: int = 0
  retried: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0


class Asker:
  """Asks one teacher, through the journal and within the limits.

  Attributes:
    tally: Counts, for whoever shows them.
    limiter: Says how many requests are under way.
    budget: Says what was spent.
    done: How many jobs have a result.
  """

  def __init__(
    self,
    teacher: Teacher,
    journal: Journal | None = None,
    limits: Limits | None = None,
    policy: RetryPolicy | None = None,
    budget: Budget | None = None,
    partners: Sequence["Asker"] = (),
  ) -> None:
    self._teacher = teacher
    self._journal = journal
    self._policy = policy or RetryPolicy()
    self._partners = partners
    self._under_way: dict[str, asyncio.Future[Response]] = {}
    self._reason: AskingError | None = None
    self._failures = FailuresInARow()
    self._timers: set[asyncio.Timeout] = set()
    self.limits = limits or Limits()
    self.limiter = Limiter(self.limits)
    self.budget = budget or Budget(None)
    self.tally = Tally()
    self.done = 0

  def stop(self, reason: AskingError) -> None:
    """Sends nothing from now on; what is under way is still waited for.

    Where the server is silent, it is not. The partners, who are asked by the
    same jobs, stop too.
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
    """Returns why nothing is sent any more, None while something is."""
    return self._reason

  async def ask(self, request: Request) -> Response:
    """Returns the answer, durable by now: from the journal, or the teacher.

    Raises:
      AskingError: There is none, after as many attempts as the policy allows.
    """
    key, *older = request.keys(self._teacher.name)
    first = self._under_way.get(key)
    if first is not None:
      response = await asyncio.shield(first)
      self.tally.cached += 1
      return response
    shared = asyncio.get_running_loop().create_future()
    self._under_way[key] = shared
    try:
      response = await self._answer(request, key, *older)
    except BaseException as error:
      if isinstance(error, Exception):
        shared.set_exception(error)
        shared.exception()  # Perhaps nobody else waits for it.
      else:
        shared.cancel()
      raise
    finally:
      del self._under_way[key]
    shared.set_result(response)
    return response

  async def close(self) -> None:
    """Closes the teacher's connections, where it has some."""
    close = getattr(self._teacher, "close", None)
    if close is not None:
      await close()

  async def _answer(self, request: Request, key: str, *older: str) -> Response:
    """Returns a stored answer, or a new one once it is stored."""
    journal = self._journal
    found = await journal.begin(key, *older) if journal else None
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
      if journal and error.kind == "unsupported":
        # So that a style falls back in the same way at every run.
        await journal.store(key, content, error)
      elif journal:
        await journal.release(key)
      raise
    if journal:
      await journal.store(key, content, response)
    self.tally.answered += 1
    self.tally.prompt_tokens += response.prompt_tokens
    self.tally.completion_tokens += response.completion_tokens
    return response

  async def _send(self, request: Request) -> Response:
    """Returns the teacher's answer, after some attempts."""
    for attempt in itertools.count(1):
      try:
        return await self._attempt(request, attempt)
      except AskingError as error:
        delay = self._policy.delay(attempt, error)
        if delay is None or self._reason:
          raise
        self.tally.retried += 1
        try:
          await asyncio.wait_for(self.limiter.stopped.wait(), delay)
        except TimeoutError:
          continue
        raise
    raise AssertionError("unreachable")

  async def _attempt(self, request: Request, attempt: int) -> Response:
    """Returns the teacher's answer to one attempt, within all limits."""
    expected = len(request.prompt) // _CHARACTERS_A_TOKEN + request.max_tokens
    failure: AskingError | None = None
    await self.limiter.enter(expected)
    sent = time.monotonic()
    try:
      response = refuse_empty(await self._paid(request))
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
    # Answers in the journal show that the teacher can be asked in this way.
    served = self.tally.cached > 0 and not self.tally.answered
    reason = self._failures.add(error, sent, served)
    if reason is not None:
      self.stop(reason)

  async def _paid(self, request: Request) -> Response:
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
  """Runs jobs side by side; a free place takes the next at once.

  Nothing is kept: each job's number (from 0) and its result or failure are
  handed on as they come. Once the asker has stopped, no further job begins,
  and those that had begun end.

  Args:
    jobs: Read one by one, as places come free.
    asker: Answers the requests of jobs.
    on_result: Takes a job's number and what it returned.
    on_failure: Takes a job's number and why it has no result, other than
      that the asker has stopped.

  Raises:
    Exception: The first, other than an AskingError; the rest are cancelled.
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

  places = _JOBS_A_REQUEST * asker.limits.max_concurrency
  try:
    async with asyncio.TaskGroup() as group:
      for _ in range(places):
        group.create_task(work())
  except ExceptionGroup as failures:
    raise failures.exceptions[0] from None
