"""The one error type for bad input, and the one handler at entry points.

Beside it stand the small functions that messages and files need everywhere.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from distill import console

# What a command exits with after a UserError, as for a wrong flag.
USER_ERROR_EXIT = 2

# Ranges of numbers for annotations. The metadata is the least value. What gin
# binds is checked against them by `gin_checks`.
PositiveInt = Annotated[int, 1]
NonNegativeInt = Annotated[int, 0]


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
    parts = {
      "  expected: ": self.expected,
      "  found:    ": self.found,
      "  fix:      ": self.remedy,
    }
    lines = [title + text for title, text in parts.items() if text]
    return "\n".join([self.what, *lines])


def require(
  name: str, value: object, ok: bool, expected: str, remedy: str = ""
) -> None:
  """Checks one value.

  Args:
    name: The flag, the macro or the field that has the value.
    value: The value.
    ok: Whether the value is valid.
    expected: The values that are valid.
    remedy: The command or the setting that fixes it.

  Raises:
    UserError: `ok` is false.
  """
  if not ok:
    raise UserError(
      f"{name} has an invalid value.",
      expected=expected,
      found=repr(value),
      remedy=remedy,
    )


def nearest(name: str, choices: Iterable[str], cutoff: float = 0.0) -> str:
  """Returns the choice most like `name`.

  Args:
    name: The name that was typed.
    choices: The names that exist.
    cutoff: The least similarity, between 0 and 1.

  Returns:
    One of `choices`; '' if none is similar enough.
  """
  import difflib  # not at the start of each command

  return next(
    iter(difflib.get_close_matches(name, list(choices), 1, cutoff)), ""
  )


def unknown(
  what: str,
  name: str,
  choices: Iterable[str],
  remedy: str = "",
  cutoff: float = 0.0,
) -> UserError:
  """Returns the error for a name that does not exist.

  Args:
    what: The kind of thing that is named, such as 'flag'.
    name: The name.
    choices: The names that exist.
    remedy: What else helps, after the nearest name.
    cutoff: The least similarity of the nearest name, between 0 and 1.
  """
  known = list(choices)
  close = nearest(name, known, cutoff)
  hints = [f"did you mean '{close}'?" if close else "", remedy]
  return UserError(
    f"There is no {what} '{name}'.",
    expected="one of " + ", ".join(known) if known else "",
    remedy=" ".join(filter(None, hints)),
  )


def printable(text: str, longest: int | None = 300) -> str:
  """Returns text that is safe to print on a terminal.

  Args:
    text: The text, which may come from a server.
    longest: The number of characters after which it is cut; None never.

  Returns:
    The text in one line, with its control characters escaped.
  """
  shown = "".join(
    c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
    for c in text[: None if longest is None else longest + 1]
  )
  if longest is None or len(shown) <= longest:
    return shown
  return shown[:longest] + "…"


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> None:
  """Writes a file so that readers see the old content or all of the new.

  The content is written to a temporary file beside it, which is then renamed.

  Args:
    path: The file, on a disk or in a bucket (`gs://…`).
    content: The bytes, or text, which is written as UTF-8.
  """
  from etils import epath  # not at the start of each command

  target = epath.Path(path)
  partial = target.with_name(f"{target.name}.partial")
  partial.write_bytes(
    content.encode("utf-8") if isinstance(content, str) else content
  )
  partial.replace(target)


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
  except console.Stopped as stopped:
    print(stopped, file=sys.stderr)
    return stopped.exit_code
  except KeyboardInterrupt:
    # At once: a library's threads may not end by themselves.
    console.end_process(signal.SIGINT)
  except BrokenPipeError:
    # The reader of our output went away (`distill … | head`).
    return 1
