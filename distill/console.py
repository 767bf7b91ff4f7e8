"""A command's process: its stages on stderr, the signals that end it.

Ctrl-C and SIGTERM end a command at once, or after it has saved.
"""

import contextlib
import os
import re
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

# Notes and warnings of C++ code, and its complaints about absent GPUs.
_NOISE = re.compile(
  rb"WARNING: All log messages before absl::InitializeLog"
  rb"|[IW]\d{4} |\d{4}-\d\d-\d\d .*: [IW] "
  rb"|.*(cuInit|cudart_stub|cuda drivers|Unable to register cu)"
)
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A wrapper may pass on a Ctrl-C that the terminal has sent already.
SECONDS_TO_SECOND = 0.5

InMainThread = Callable[[int, types.FrameType | None], None]

_STAGE_END = " …"
_terminal = 2  # The descriptor of stderr, also while it is captured


def say(stage: str) -> None:
  """Writes the stage that a command begins, as one line to stderr."""
  print(f"{stage}{_STAGE_END}", file=sys.stderr, flush=True)


def print_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
  """Prints a table as wide as the terminal; a file gets 80 columns."""
  import rich.box
  import rich.console
  import rich.table
  import rich.text

  table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
  for name in header:
    table.add_column(rich.text.Text(name), overflow="fold")
  for line in lines:
    table.add_row(*map(rich.text.Text, line))
  rich.console.Console(highlight=False).print(table)


def last_stage(log: str) -> str:
  """Returns the stage that `say` wrote last in a log, '' if none."""
  stages = [line for line in log.splitlines() if line.endswith(_STAGE_END)]
  return stages[-1].removesuffix(_STAGE_END) if stages else ""


def write_line(text: str) -> None:
  """Writes a line past Python's buffers: for any thread, at any moment."""
  margin = "\n" if os.isatty(_terminal) else ""
  os.write(_terminal, f"{margin}{text}\n".encode())


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
  """Holds back what is written to stderr, and then drops the notes in it.

  TensorFlow writes some of them before it reads TF_CPP_MIN_LOG_LEVEL.
  """
  global _terminal
  import tempfile  # not at the start of each command

  sys.stderr.flush()
  _terminal = os.dup(2)
  with tempfile.TemporaryFile() as held:
    os.dup2(held.fileno(), 2)
    try:
      yield
    finally:
      sys.stderr.flush()
      os.dup2(_terminal, 2)
      os.close(_terminal)
      _terminal = 2
      held.seek(0)
      kept = [line for line in held if not _NOISE.match(line)]
      os.write(2, b"".join(kept))


def import_tensorflow(*others: str) -> None:
  """Imports TensorFlow without its notes and leaves accelerators to JAX.

  The import takes seconds: a line says so, and a signal ends it at once.

  Args:
    *others: What the command imports next, for that line.
  """
  if "tensorflow" not in sys.modules:
    say("importing " + " and ".join(["TensorFlow", *others]))
  # Some module may swallow an exception that is raised in its import.
  with watch_signals(end_process), without_notes():
    import tensorflow as tf

    # TensorFlow would take an accelerator's memory, which JAX needs.
    for kind in ("GPU", "TPU"):
      tf.config.set_visible_devices([], kind)


class Stopped(KeyboardInterrupt):
  """A signal ended the command, which has put all in order.

  Attributes:
    number: The signal.
    exit_code: What a shell reports of a process that the signal ended.
  """

  def __init__(self, number: int, said: str = "") -> None:
    super().__init__(_stopped_by(number, said))
    self.number = number
    self.exit_code = exit_code(number)


def signal_name(number: int) -> str:
  """Returns a signal's name for messages."""
  return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


def exit_code(number: int) -> int:
  """Returns what a shell reports of a process that the signal ended."""
  return 128 + number


def end_process(number: int, said: str = "") -> NoReturn:
  """Ends the process from any thread, with one line.

  Args:
    number: The signal that ends it.
    said: What else the line says.
  """
  write_line(_stopped_by(number, said))
  os._exit(exit_code(number))


@contextlib.contextmanager
def raise_signals() -> Iterator[None]:
  """Within the context, each SIGINT and SIGTERM raises `Stopped`."""

  def stop(number: int, frame: types.FrameType | None) -> None:
    raise Stopped(number)

  with _handled_by(stop, SIGNALS):
    yield


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
  """Delays SIGINT and SIGTERM to the end of the context.

  A process that is started within it never gets a Ctrl-C of the terminal.
  """
  noted: list[int] = []
  try:
    # Another thread may take a signal that this one blocks.
    with _handled_by(lambda number, frame: noted.append(number), SIGNALS):
      mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
      try:
        yield
      finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
  finally:
    if noted:
      signal.raise_signal(noted[0])


@contextlib.contextmanager
def watch_signals(
  on_signal: Callable[[int], None],
  in_main: InMainThread = lambda number, frame: None,
  signals: Sequence[int] = SIGNALS,
) -> Iterator[None]:
  """Handles signals within the context, even while C++ code runs.

  Python runs a handler only between two of its own instructions, which a
  compilation delays by minutes. So each signal also reaches a thread.

  Args:
    on_signal: Called by that thread, at once.
    in_main: Called in the main thread, once it is back in Python.
    signals: Those that are handled.
  """
  if not _is_main_thread():
    yield
    return
  read, write = os.pipe()
  os.set_blocking(write, False)
  threading.Thread(
    target=_watch, args=(read, signals, on_signal), daemon=True
  ).start()
  descriptor = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
  try:
    with _handled_by(in_main, signals):
      yield
  finally:
    signal.set_wakeup_fd(descriptor)
    os.close(write)


def _stopped_by(number: int, said: str) -> str:
  return f"stopped by {signal_name(number)}" + (f": {said}" if said else "")


def _is_main_thread() -> bool:
  """Returns whether this thread may set handlers of signals."""
  return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _handled_by(
  handler: InMainThread, signals: Sequence[int]
) -> Iterator[None]:
  """Sets a handler of signals within the context, in the main thread only."""
  numbers = signals if _is_main_thread() else ()
  before = {number: signal.signal(number, handler) for number in numbers}
  try:
    yield
  finally:
    for number, former in before.items():
      # None stands for a handler of C++ code.
      signal.signal(number, former or signal.SIG_DFL)


def _watch(
  descriptor: int, signals: Sequence[int], on_signal: Callable[[int], None]
) -> None:
  while number := os.read(descriptor, 1):
    if number[0] in signals:
      on_signal(number[0])
  os.close(descriptor)
