"""The plan of a run: its requests, tokens and cost; nothing is sent."""

import asyncio
import collections
from collections.abc import Sequence
from dataclasses import dataclass, field

from distill.teacher.attempts import Question
from distill.teacher.collecting import Collection
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.prices import dollars

# Characters a token: of dense text, English, and very plain text.
_DENSE, _USUAL, _PLAIN = 2.5, 4.0, 5.5
_BAR = 40


@dataclass
class Estimate:
  """Tokens of the requests to send: the least, the expected, the most."""

  prompt: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
  completion: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

  def add(self, request: Request) -> int:
    """Adds a request; returns the expected tokens of its prompt."""
    length = len(request.prompt)
    for index, characters in enumerate((_PLAIN, _USUAL, _DENSE)):
      self.prompt[index] += length / characters
    for index, share in enumerate((0.1, 0.4, 1.0)):
      self.completion[index] += share * request.max_tokens
    return round(length / _USUAL)


@dataclass
class Plan:
  """What a run would send.

  Attributes:
    samples: The number of completions.
    requests: Requests to send, identical ones counted once.
    repeated: Requests that are identical to another.
    cached: Requests whose response the journal has.
    estimate: Tokens of the requests to send.
    histogram: Requests by the power of two that their prompt's tokens reach.
  """

  samples: int = 0
  requests: int = 0
  repeated: int = 0
  cached: int = 0
  estimate: Estimate = field(default_factory=Estimate)
  histogram: collections.Counter[int] = field(
    default_factory=collections.Counter
  )


def make_plan(questions: Sequence[Question], collection: Collection) -> Plan:
  """Returns the plan; the later steps of a style are estimated, too."""
  return asyncio.run(_make_plan(questions, collection))


async def _make_plan(
  questions: Sequence[Question], collection: Collection
) -> Plan:
  plan = Plan(samples=len(questions) * collection.samples)
  seen: set[bytes] = set()

  async def look(request: Request) -> Response:
    keys = request.keys(collection.teacher.name)
    found = collection.journal.look_up(*keys) if collection.journal else None
    short = bytes.fromhex(keys[0][:24])
    if short in seen:
      plan.repeated += 1
    elif found is not None:
      plan.cached += 1
    else:
      plan.requests += 1
      tokens = plan.estimate.add(request)
      plan.histogram[tokens.bit_length()] += 1
    seen.add(short)
    if isinstance(found, AskingError):
      raise found
    # Text of the expected length leads to the style's next step.
    words = "word " * round(0.4 * request.max_tokens)
    return found or Response(words, "stop", 0, 0)

  for question in questions:
    for sample in range(collection.samples):
      try:
        await collection.style.complete(question.input, sample, look)
      except AskingError:
        continue
  return plan


def report(plan: Plan, collection: Collection) -> str:
  """Returns a plan as text."""
  prompt, completion = plan.estimate.prompt, plan.estimate.completion
  price = collection.price
  costs = [
    price.cost(read, written) if price else None
    for read, written in zip(prompt, completion, strict=True)
  ]
  seconds = collection.limits.seconds(plan.requests, prompt[1] + completion[1])
  time = f"at least {seconds:,.0f} s at the given limits"
  lines = [
    f"samples     {plan.samples:,} by {collection.teacher.name}",
    f"requests    {plan.requests:,} to send; {plan.cached:,} answered before,"
    f" {plan.repeated:,} identical to another",
    f"tokens      {_range(prompt)} read, {_range(completion)} written",
    f"cost        low {dollars(costs[0])}, expected {dollars(costs[1])},"
    f" high {dollars(costs[2])}",
    f"price       {price.reference}"
    if price
    else "price       unknown: give it by --price_in and --price_out",
    f"time        {time if seconds else 'as fast as the server answers'}",
  ]
  if collection.further or collection.judge:
    lines.append("not counted asking again, hints and verdicts")
  if plan.histogram:
    lines.append("requests by the tokens of their prompt")
    most = max(plan.histogram.values())
    for power, count in sorted(plan.histogram.items()):
      bar = "#" * max(1, round(_BAR * count / most))
      lines.append(f"  below {2**power:>7,}  {bar} {count:,}")
  return "\n".join(lines)


def _range(numbers: Sequence[float]) -> str:
  low, expected, high = (f"{round(number):,}" for number in numbers)
  return f"{expected} ({low} to {high})"
