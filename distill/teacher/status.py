"""The status of a run: its plan before it, its progress while it asks.

The plan has requests, tokens and cost; nothing is sent for it. The progress is
a live panel on a terminal, elsewhere lines of JSON.
"""

import asyncio
import collections
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from distill.teacher.asking import Asker
from distill.teacher.attempts import Collection, Question
from distill.teacher.collecting import Display
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.prices import dollars

# Characters for each token: of very plain text, of English, of dense text.
_CHARACTERS = (5.5, 4.0, 2.5)
# The share of `max_tokens` that a completion has: least, expected, most.
_SHARES = (0.1, 0.4, 1.0)
_BAR = 40
_PANEL_SECONDS = 0.25
_LINE_SECONDS = 30.0
# Shows figures, and the seconds between two updates.
_Show = tuple[Callable[[dict[str, Any]], None], float]


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


def plan_text(plan: Plan, collection: Collection) -> str:
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


def display_on(stream: TextIO, title: str) -> Display:
  """Returns a display that writes to a stream.

  On a terminal it is a panel. Elsewhere it is a line of JSON at the start, each
  half minute and at the end.
  """

  @contextlib.asynccontextmanager
  async def display(asker: Asker, total: int) -> AsyncIterator[None]:
    begun = time.monotonic()
    shown = _panel(stream, title) if stream.isatty() else _lines(stream, title)
    with shown as (show, period):

      def update() -> None:
        show(_figures(asker, total, time.monotonic() - begun))

      task = asyncio.create_task(_repeat(update, period))
      try:
        yield
      finally:
        task.cancel()
        update()

  return display


def _figures(asker: Asker, total: int, seconds: float) -> dict[str, Any]:
  """Returns the figures; times are in seconds, costs in US dollars."""
  tally = asker.tally
  done = asker.done + tally.failed
  left = (total - done) * seconds / done if done else None
  tokens = tally.prompt_tokens + tally.completion_tokens
  spent = asker.budget.spent
  return {
    "done": asker.done,
    "of": total,
    "answered": tally.answered,
    "cached": tally.cached,
    "failed": tally.failed,
    "retried": tally.retried,
    "tokens_per_second": round(tokens / max(seconds, 1e-9)),
    "cost": "unknown" if spent is None else round(spent, 6),
    "seconds": round(seconds, 1),
    "seconds_left": None if left is None else round(left, 1),
    "under_way": asker.limiter.active,
    "concurrency": asker.limiter.concurrency,
  }


async def _repeat(update: Callable[[], None], period: float) -> None:
  while True:
    update()
    await asyncio.sleep(period)


@contextlib.contextmanager
def _lines(stream: TextIO, title: str) -> Iterator[_Show]:
  def show(figures: dict[str, Any]) -> None:
    stream.write(json.dumps({"asking": title, **figures}) + "\n")
    stream.flush()

  yield show, _LINE_SECONDS


@contextlib.contextmanager
def _panel(stream: TextIO, title: str) -> Iterator[_Show]:
  # Imported only for a terminal.
  from rich.console import Console
  from rich.live import Live

  with Live(console=Console(file=stream), auto_refresh=False) as live:

    def show(figures: dict[str, Any]) -> None:
      live.update(_drawn(title, figures), refresh=True)

    yield show, _PANEL_SECONDS


def _drawn(title: str, figures: dict[str, Any]) -> Any:
  from rich.panel import Panel
  from rich.progress_bar import ProgressBar
  from rich.table import Table

  done = figures["done"] + figures["failed"]
  left = figures["seconds_left"]
  cost = figures["cost"]
  table = Table.grid(padding=(0, 2), expand=True)
  table.add_row(
    f"{done:,} of {figures['of']:,}",
    f"answered {figures['answered']:,}",
    f"cached {figures['cached']:,}",
    f"failed {figures['failed']:,}",
    f"retried {figures['retried']:,}",
  )
  table.add_row(
    "… left" if left is None else f"{left:,.0f} s left",
    f"{figures['tokens_per_second']:,} tokens/s",
    f"cost {cost if cost == 'unknown' else dollars(cost)}",
    f"in flight {figures['under_way']}",
    f"of at most {figures['concurrency']}",
  )
  grid = Table.grid(expand=True)
  grid.add_row(ProgressBar(total=figures["of"], completed=done))
  grid.add_row(table)
  return Panel(grid, title=title, title_align="left")
