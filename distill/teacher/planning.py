"""The plan of a run: its requests, tokens and cost; nothing is sent."""

import asyncio
import collections
from collections.abc import Sequence
from dataclasses import dataclass, field

from distill.teacher.attempts import Question
from distill.teacher.collecting import Collection
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.prices import dollars

# Characters for each token: of very plain text, of English, of dense text.
_CHARACTERS = (5.5, 4.0, 2.5)
# The share of `max_tokens` that a completion has: least, expected, most.
_SHARES = (0.1, 0.4, 1.0)
_BAR = 40


@dataclass
class Plan:
  """What a run would send.

  Attributes:
    samples: The number of completions.
    requests: Requests to send, identical ones counted once.
    repeated: Requests that are identical to another.
    cached: Requests whose response the journal has.
    characters: Characters in the prompts of the requests to send.
    max_tokens: The most tokens in their completions.
    histogram: Requests by the power of two that their prompt's tokens reach.
  """

  samples: int = 0
  requests: int = 0
  repeated: int = 0
  cached: int = 0
  characters: int = 0
  max_tokens: int = 0
  histogram: collections.Counter[int] = field(
    default_factory=collections.Counter
  )

  def add(self, request: Request) -> None:
    """Adds a request to send."""
    self.requests += 1
    self.characters += len(request.prompt)
    self.max_tokens += request.max_tokens
    tokens = round(len(request.prompt) / _CHARACTERS[1])
    self.histogram[tokens.bit_length()] += 1


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
      plan.add(request)
    seen.add(short)
    if isinstance(found, AskingError):
      raise found
    # Text of the expected length leads to the style's next step.
    words = "word " * round(_SHARES[1] * request.max_tokens)
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
  prompt = [plan.characters / each for each in _CHARACTERS]
  completion = [plan.max_tokens * share for share in _SHARES]
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
