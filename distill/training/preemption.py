"""SIGTERM and Ctrl-C in the training loop: save first, then end."""

import contextlib
import os
import signal
import threading
import time
import types
from collections.abc import Callable
from typing import TypeVar

import jax
from jax.experimental import multihost_utils

from distill import console

# 128 + SIGTERM: what a shell reports of a process that the signal ended.
EXIT_CODE = console.exit_code(signal.SIGTERM)
# A step that lasts longer is worth a word.
_PATIENCE = 3.0

T = TypeVar("T")


class _Interrupted(BaseException):
  """Ends an evaluation early; no handler for Exception catches it."""


class Preemption(contextlib.ExitStack):
  """Notes SIGTERM and Ctrl-C instead of dying of them.

  A context manager, within which `begin` starts it. A second Ctrl-C ends the
  process at once. With several processes the signal reaches some of them, and
  JAX's own service makes all agree on the step to stop at.

  Attributes:
    number: The signal that was noted, None before.
  """

  def __init__(self) -> None:
    super().__init__()
    self.number: int | None = None
    self._first: float | None = None
    self._interruptible = False

  def begin(self) -> None:
    """Handles the signals from now on, if this is the main thread."""
    if jax.process_count() > 1:
      # SIGTERM is JAX's; it tells the other processes.
      watched = console.watch_signals(self._pass_on, signals=[signal.SIGINT])
    else:
      watched = console.watch_signals(self._note, self._in_main)
    self.enter_context(watched)

  def reached(self, step: int) -> bool:
    """Returns whether to save and stop now; to be asked after each step."""
    if jax.process_count() > 1:
      reached = multihost_utils.reached_preemption_sync_point(step)
      self.number = signal.SIGTERM if reached else None
    return self.number is not None

  def interruptible(self, function: Callable[[], T]) -> T | None:
    """Returns what the function does, or None if the signal cut it short."""
    self._interruptible = True
    try:
      return function()
    except _Interrupted:
      return None
    finally:
      self._interruptible = False

  def _in_main(self, number: int, frame: types.FrameType | None) -> None:
    self.number = self.number or number
    if self._interruptible:
      raise _Interrupted

  def _note(self, number: int) -> None:
    """Notes a signal in the watching thread; a second Ctrl-C ends it all."""
    now = time.monotonic()
    if self._first is None:
      self._first = now
      timer = threading.Timer(_PATIENCE, self._explain, [number])
      timer.daemon = True
      timer.start()
      self.callback(timer.cancel)
    elif number == signal.SIGINT and (
      now - self._first > console.SECONDS_TO_SECOND
    ):
      console.end_process(number, "the newest checkpoint is kept")

  def _explain(self, number: int) -> None:
    console.write_line(
      f"{console.signal_name(number)}: saving after this step; a second Ctrl-C"
      " ends at once"
    )

  def _pass_on(self, number: int) -> None:
    self._note(number)
    os.kill(os.getpid(), signal.SIGTERM)
