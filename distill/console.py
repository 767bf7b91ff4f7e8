"""What a command writes to stderr: its stages, without TensorFlow's notes."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator

# Notes and warnings of C++ code, and its complaints about absent GPUs.
_NOISE = re.compile(
  rb"WARNING: All log messages before absl::InitializeLog"
  rb"|[IW]\d{4} |\d{4}-\d\d-\d\d .*: [IW] "
  rb"|.*(cuInit|cudart_stub|cuda drivers|Unable to register cu)"
)
_STAGE_END = " …"
_terminal = 2  # the descriptor of stderr, also while it is captured


def say(stage: str) -> None:
  """Writes the stage that a command begins, as one line to stderr."""
  print(f"{stage}{_STAGE_END}", file=sys.stderr, flush=True)


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
