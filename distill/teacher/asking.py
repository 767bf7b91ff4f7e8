"""Asks a teacher many requests at once, and keeps their order."""

import asyncio
from collections.abc import Callable, Iterable

from distill.errors import UserError
from distill.teacher.interface import Request, Response, Teacher


async def ask(
  teacher: Teacher,
  requests: Iterable[Request],
  *,
  concurrency: int = 16,
  on_response: Callable[[int, Response], None] | None = None,
) -> list[Response]:
  """Returns one response a request, in the order of the requests.

  Args:
    teacher: Whom to ask.
    requests: Read one by one, as places come free.
    concurrency: The most requests under way at any time.
    on_response: Called with a request's position and its response as each
      arrives, in the order of arrival.

  Raises:
    UserError: `concurrency` is below 1.
    Exception: The first that the teacher raises; the rest are cancelled.
  """
  if concurrency < 1:
    raise UserError(
      "A teacher cannot be asked so few requests at once.",
      expected="a concurrency of at least 1",
      found=str(concurrency),
    )
  pending = enumerate(requests)
  responses: dict[int, Response] = {}

  async def work() -> None:
    # All workers read one iterator: whoever is free takes the next.
    for position, request in pending:
      responses[position] = await teacher.complete(request)
      if on_response is not None:
        on_response(position, responses[position])

  workers = [asyncio.create_task(work()) for _ in range(concurrency)]
  try:
    await asyncio.gather(*workers)
  finally:
    for worker in workers:
      worker.cancel()
  return [responses[position] for position in range(len(responses))]
