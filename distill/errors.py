"""The one error type for bad input, and the one handler at entry points."""

import os
import signal
import sys
from collections.abc import Callable, Sequence

from distill import interrupts

# What a command exits with after a UserError, as for a wrong flag.
USER_ERROR_EXIT = 2


class UserError(Exception):
  """Bad input. The message names the problem and its fix.

  Attributes:
    what: The thing that is wrong: a file, a flag, a macro, a task.
    expected: What it should have been.
    found: What it is.
    remedy: The command or the setting that fixes it.
  """

  def __init__(
    self,
    what: str,
    *,
    expected: str = "",
    found: str = "",
    remedy: str = "",
  ) -> None:
    self.what = what
    self.expected = expected
    self.found = found
    self.remedy = remedy
    super().__init__(str(self))

  def __str__(self) -> str:
    lines = [self.what]
    if self.expected:
      lines.append(f"  expected: {self.expected}")
    if self.found:
      lines.append(f"  found:    {self.found}")
    if self.remedy:
      lines.append(f"  fix:      {self.remedy}")
    return "\n".join(lines)


def run_command(
  main: Callable[[Sequence[str]], int | None],
  argv: Sequence[str] | None = None,
) -> int:
  """Runs a command's `main(argv)` and returns its exit code.

  A UserError is printed to stderr without a traceback and gives
  `USER_ERROR_EXIT`. Ctrl-C ends the process with one line and 130. Every other
  exception is a bug and passes through.
  """
  arguments = list(sys.argv[1:] if argv is None else argv)
  # TensorFlow reads this when it is first imported.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  try:
    return main(arguments) or 0
  except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    return USER_ERROR_EXIT
  except interrupts.Stopped as stopped:
    print(stopped, file=sys.stderr)
    return stopped.exit_code
  except KeyboardInterrupt:
    # At once: a library's threads may not end by themselves.
    interrupts.end(signal.SIGINT)
  except BrokenPipeError:
    # The reader of our output went away (`distill … | head`).
    return 1
