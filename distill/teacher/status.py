"""Progress of a run: a live panel on a terminal, elsewhere lines of JSON."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TextIO

from distill.teacher.asking import Asker
from distill.teacher.collecting import Display
from distill.teacher.prices import dollars

_PANEL_SECONDS = 0.25
_LINE_SECONDS = 30.0


# Shows figures, and the seconds between two updates.
_Show = tuple[Callable[[dict[str, Any]], None], float]


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
