"""How asking gets on: a live panel on a terminal, elsewhere a line of JSON."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TextIO

from distill.teacher.asking import Asker
from distill.teacher.prices import dollars

_PANEL_SECONDS = 0.25
_LINE_SECONDS = 30.0


@dataclass
class Status:
  """Reads an asker's counts, for `total` jobs that begin now."""

  asker: Asker
  total: int

  def __post_init__(self) -> None:
    self._begun = time.monotonic()

  def read(self) -> dict[str, Any]:
    """Returns the figures; times are in seconds, costs in US dollars."""
    tally, asker = self.asker.tally, self.asker
    seconds = max(time.monotonic() - self._begun, 1e-9)
    done = asker.done + tally.failed
    left = (self.total - done) * seconds / done if done else None
    tokens = tally.prompt_tokens + tally.completion_tokens
    spent = asker.budget.spent
    return {
      "done": asker.done,
      "of": self.total,
      "answered": tally.answered,
      "cached": tally.cached,
      "failed": tally.failed,
      "retried": tally.retried,
      "tokens_per_second": round(tokens / seconds),
      "cost": "unknown" if spent is None else round(spent, 6),
      "seconds": round(seconds, 1),
      "seconds_left": None if left is None else round(left, 1),
      "under_way": asker.limiter.active,
      "concurrency": asker.limiter.concurrency,
    }


def display_on(stream: TextIO, title: str) -> Any:
  """Returns a `collecting.Display` that writes to a stream.

  On a terminal it is a panel; elsewhere a line at the start, every half a
  minute and at the end.
  """

  @contextlib.asynccontextmanager
  async def display(asker: Asker, total: int) -> AsyncIterator[None]:
    status = Status(asker, total)
    shown = _panel(stream, title) if stream.isatty() else _lines(stream, title)
    with shown as (show, period):
      task = asyncio.create_task(_repeat(lambda: show(status.read()), period))
      try:
        yield
      finally:
        task.cancel()
        show(status.read())

  return display


async def _repeat(show: Callable[[], None], period: float) -> None:
  while True:
    show()
    await asyncio.sleep(period)


_Show = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def _lines(stream: TextIO, title: str) -> Any:
  def show(figures: dict[str, Any]) -> None:
    stream.write(json.dumps({"asking": title, **figures}) + "\n")
    stream.flush()

  yield show, _LINE_SECONDS


@contextlib.contextmanager
def _panel(stream: TextIO, title: str) -> Any:
  # Only where there is a terminal to draw on.
  from rich.console import Console
  from rich.live import Live

  console = Console(file=stream)
  with Live(console=console, auto_refresh=False) as live:

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
    f"under way {figures['under_way']}",
    f"of at most {figures['concurrency']}",
  )
  grid = Table.grid(expand=True)
  grid.add_row(ProgressBar(total=figures["of"], completed=done))
  grid.add_row(table)
  return Panel(grid, title=title, title_align="left")
