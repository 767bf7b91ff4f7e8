"""Limits and retries, without a server."""

import asyncio

import pytest

from distill.errors import UserError
from distill.teacher.interface import AskingError
from distill.teacher.limits import Limiter, Limits, RetryPolicy

OVERLOADED = AskingError("overloaded", "", True)


def test_the_rates_say_how_long_requests_take():
  limits = Limits(tokens_per_minute=60, requests_per_minute=6)
  assert limits.seconds(5, 10) == 50
  with pytest.raises(UserError, match="--max_concurrency has"):
    Limits(max_concurrency=0)


def concurrency(*failures, most=256):
  """Returns the concurrency after each request, one at a time or in rounds."""

  async def run():
    limiter = Limiter(Limits(max_concurrency=most))
    found = []
    for failure in failures:
      slots = limiter.concurrency
      for _ in range(slots):
        await limiter.enter(1)
      for _ in range(slots):
        limiter.leave(failure)
      found.append(limiter.concurrency)
    return found

  return asyncio.run(run())


def test_concurrency_doubles_then_grows_by_one_and_halves_when_overloaded():
  first, *rest = concurrency(None, None, OVERLOADED, None)
  assert first >= 16 and rest[0] > first
  assert rest[1] <= rest[0] / 2 + 1 and rest[2] in (rest[1], rest[1] + 1)
  assert concurrency(*[None] * 9, most=20)[-1] == 20


def test_few_requests_are_refused_by_a_server_of_forty_slots():
  async def run():
    limiter = Limiter(Limits())
    done = refused = 0
    while done < 1500:
      sent = limiter.concurrency
      for _ in range(sent):
        await limiter.enter(1)
      # The server answers forty of each round and refuses the others.
      for number in range(sent):
        limiter.leave(OVERLOADED if number >= 40 else None)
      done += min(sent, 40)
      refused += max(sent - 40, 0)
    return refused, limiter.concurrency

  refused, concurrency = asyncio.run(run())
  # With all 256 in flight, 216 of 256 would be refused: over 8,000.
  assert refused < 100 and 10 <= concurrency <= 60


def test_a_first_request_that_is_refused_stays_alone():
  refused = AskingError("refused", "", False)
  assert concurrency(refused, refused) == [1, 1]


def test_retry_after_is_kept_and_retries_are_spread():
  policy = RetryPolicy(attempts=3, first=1.0, longest=4.0)
  error = AskingError("overloaded", "", True)
  assert all(0.5 <= policy.delay(1, error) <= 1.5 for _ in range(99))
  assert len({policy.delay(2, error) for _ in range(9)}) == 9
  assert policy.delay(3, error) is None
  wished = AskingError("rate_limited", "", True, retry_after=30.0)
  assert 30 <= policy.delay(1, wished) <= 31
  assert policy.delay(1, AskingError("refused", "", False)) is None
