"""SIGTERM: save first, then go."""

import contextlib
import signal
import types
from collections.abc import Callable, Iterator
from typing import TypeVar

import jax
from jax.experimental import multihost_utils

# 128 + SIGTERM: what a shell reports of a process that the signal ended.
EXIT_CODE = 143

T = TypeVar("T")


class _Interrupted(BaseException):
  """Ends an evaluation early; no handler for Exception catches it."""


class Preemption:
  """Notes SIGTERM instead of dying of it.

  With several processes the signal reaches some of them, and JAX's own service
  makes all agree on the step to stop at.
  """

  def __init__(self) -> None:
    self._noted = False
    self._interruptible = False

  @contextlib.contextmanager
  def watch(self) -> Iterator["Preemption"]:
    """Handles the signal within the context, in the main thread."""
    if jax.process_count() > 1:
      yield self
      return
    previous = signal.signal(signal.SIGTERM, self._note)
    try:
      yield self
    finally:
      signal.signal(signal.SIGTERM, previous)

  def reached(self, step: int) -> bool:
    """Returns whether to save and stop now; to be asked after each step."""
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(step)
    return self._noted

  def interruptible(self, function: Callable[[], T]) -> T | None:
    """Returns what the function does, or None if the signal cut it short."""
    self._interruptible = True
    try:
      return function()
    except _Interrupted:
      return None
    finally:
      self._interruptible = False

  def _note(self, number: int, frame: types.FrameType | None) -> None:
    self._noted = True
    if self._interruptible:
      raise _Interrupted
