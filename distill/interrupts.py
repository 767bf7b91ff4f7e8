"""How Ctrl-C and SIGTERM end a command: at once, or after it has saved."""

import contextlib
import os
import signal
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from distill import console

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A wrapper may pass on a Ctrl-C that the terminal has sent already.
SECONDS_TO_SECOND = 0.5

InMainThread = Callable[[int, types.FrameType | None], None]


class Stopped(KeyboardInterrupt):
  """A signal ended the command, which has put all in order.

  Attributes:
    number: The signal.
    exit_code: What a shell reports of a process that the signal ended.
  """

  def __init__(self, number: int, said: str = "") -> None:
    end = f": {said}" if said else ""
    super().__init__(f"stopped by {name_of(number)}{end}")
    self.number = number
    self.exit_code = exit_code(number)


def name_of(number: int) -> str:
  """Returns a signal's name for messages."""
  return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def exit_code(number: int) -> int:
  """Returns what a shell reports of a process that the signal ended."""
  return 128 + number


def end(number: int, said: str = "") -> NoReturn:
  """Ends the process from any thread, with one line."""
  console.write_line(
    f"stopped by {name_of(number)}" + (f": {said}" if said else "")
  )
  os._exit(exit_code(number))


@contextlib.contextmanager
def raised() -> Iterator[None]:
  """Within the context, each SIGINT and SIGTERM raises `Stopped`."""

  def stop(number: int, frame: types.FrameType | None) -> None:
    raise Stopped(number)

  if threading.current_thread() is not threading.main_thread():
    yield  # only the main thread may set handlers
    return
  before = {number: signal.signal(number, stop) for number in SIGNALS}
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler or signal.SIG_DFL)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
  """Delays SIGINT and SIGTERM to the end of the context.

  A process that is started within it never gets a Ctrl-C of the terminal.
  """
  noted: list[int] = []
  # Another thread may take a signal that this one blocks.
  handlers = {
    number: signal.signal(number, lambda number, frame: noted.append(number))
    for number in SIGNALS
  }
  mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
  try:
    yield
  finally:
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for number, handler in handlers.items():
      signal.signal(number, handler or signal.SIG_DFL)
    if noted:
      signal.raise_signal(noted[0])


@contextlib.contextmanager
def watched(
  on_signal: Callable[[int], None],
  in_main: InMainThread = lambda number, frame: None,
  signals: Sequence[int] = SIGNALS,
) -> Iterator[None]:
  """Handles signals within the context, even while C++ code runs.

  Python runs a handler only between two of its own instructions, which a
  compilation delays by minutes. So a thread is told of each signal too.

  Args:
    on_signal: Called by that thread, at once.
    in_main: Called in the main thread, once it is back in Python.
    signals: Those that are handled.
  """
  if threading.current_thread() is not threading.main_thread():
    yield  # only the main thread may set handlers
    return
  read, write = os.pipe()
  os.set_blocking(write, False)
  threading.Thread(
    target=_watch, args=(read, signals, on_signal), daemon=True
  ).start()
  descriptor = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
  before = {number: signal.signal(number, in_main) for number in signals}
  try:
    yield
  finally:
    for number, handler in before.items():
      # None stands for a handler of C++ code.
      signal.signal(number, handler or signal.SIG_DFL)
    signal.set_wakeup_fd(descriptor)
    os.close(write)


def _watch(
  descriptor: int, signals: Sequence[int], on_signal: Callable[[int], None]
) -> None:
  while number := os.read(descriptor, 1):
    if number[0] in signals:
      on_signal(number[0])
  os.close(descriptor)
