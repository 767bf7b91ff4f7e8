"""Asking: in order, bounded, with progress, and failing as a whole."""

import asyncio

import pytest

from distill.errors import UserError
from distill.teacher import asking
from distill.teacher.interface import Request, Response


class CountingTeacher:
  """Answers the earliest last, and counts how many it serves at once."""

  name = "counting"

  def __init__(self, fails_at=None):
    self.under_way = self.most = self.asked = 0
    self.fails_at = fails_at

  async def complete(self, request):
    self.under_way += 1
    self.asked += 1
    self.most = max(self.most, self.under_way)
    number = int(request.prompt)
    if number == self.fails_at:
      raise UserError("The teacher is out of order.")
    await asyncio.sleep(0.002 * (4 - number % 4))
    self.under_way -= 1
    return Response(f"{number} done", "stop", 1, 2)


def requests(count):
  return (Request(str(number)) for number in range(count))


def test_responses_keep_the_order_of_requests_and_progress_that_of_arrival():
  teacher, arrived = CountingTeacher(), []
  responses = asyncio.run(
    asking.ask(
      teacher,
      requests(30),
      concurrency=4,
      on_response=lambda position, response: arrived.append(
        (position, response.text)
      ),
    )
  )
  assert [r.text for r in responses] == [f"{i} done" for i in range(30)]
  assert sorted(arrived) == [(i, f"{i} done") for i in range(30)]
  assert arrived[0][0] == 3
  assert teacher.most == 4


def test_the_first_failure_reaches_the_caller_and_stops_the_rest():
  teacher = CountingTeacher(fails_at=5)
  with pytest.raises(UserError, match="out of order"):
    asyncio.run(asking.ask(teacher, requests(1000), concurrency=4))
  assert teacher.asked < 20


def test_nothing_to_ask_and_nobody_to_ask():
  assert asyncio.run(asking.ask(CountingTeacher(), [])) == []
  with pytest.raises(UserError, match="at least 1"):
    asyncio.run(asking.ask(CountingTeacher(), [], concurrency=0))
