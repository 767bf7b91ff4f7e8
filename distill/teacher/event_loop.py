"""The event loop that asking runs on, for thousands of requests a second."""

import asyncio
import contextlib
import gc
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
# New objects between two searches for cycles; Python's own number is 700.
_NEW_OBJECTS = 50_000


def run(main: Coroutine[Any, Any, T]) -> T:
  """Returns what a coroutine returns, run on an event loop of its own."""
  with (
    _collecting_seldom(),
    asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
  ):
    return runner.run(main)


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
  """Looks for garbage in cycles less often: that is a fifth of all work.

  Asking leaves hardly any, and what there was before is not looked at again.
  """
  thresholds = gc.get_threshold()
  gc.freeze()
  gc.set_threshold(_NEW_OBJECTS, *thresholds[1:])
  try:
    yield
  finally:
    gc.set_threshold(*thresholds)
    gc.unfreeze()
