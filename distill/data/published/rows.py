"""What a row of somebody's file is, and how one becomes input and label."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from distill.errors import UserError

Row = Mapping[str, Any]
# A row → its input and its label ('': unlabeled), or None: it is no example.
Form = Callable[[Row], tuple[str, str] | None]


def read(form: Form, found: Iterable[tuple[str, Row]]) -> list[tuple[str, str]]:
  """Returns what a form makes of rows, less those that are no examples.

  Args:
    form: Reads a row.
    found: Rows, each with what a message calls it.

  Raises:
    UserError: A row is not of that form.
  """
  pairs = (_read(form, row, where) for where, row in found)
  return [pair for pair in pairs if pair is not None]


def _read(form: Form, row: Row, where: str) -> tuple[str, str] | None:
  try:
    pair = form(row)
    if pair and not pair[0].strip():
      raise ValueError("the input is blank")
    return pair
  except (
    *(KeyError, IndexError, ValueError),
    *(TypeError, AttributeError, StopIteration),
  ) as error:
    fields = ", ".join(row) if isinstance(row, Mapping) else repr(row)[:60]
    raise UserError(
      f"{where} is malformed.",
      expected=(form.__doc__ or "an example").split("\n")[0],
      found=f"{fields} ({type(error).__name__}: {error})",
      remedy="get the file again from where its authors publish it",
    ) from error
