"""What a row of somebody's file is, and how one becomes input and label."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from distill.errors import UserError

Row = Mapping[str, Any]
# A row → its input and its label ('': unlabeled), or None: it is no example.
Form = Callable[[Row], tuple[str, str] | None]


def read(form: Form, found: Iterable[tuple[str, Row]]) -> list[tuple[str, str]]:
  """Returns what a form makes of rows, less those that are no examples.

  Raises:
    UserError: A row, which `found` pairs with its name, is not of that form.
  """
  pairs = []
  for where, row in found:
    try:
      pair = form(row)
      if pair and not pair[0].strip():
        raise ValueError("the input is blank")
    except Exception as error:  # Whatever a foreign row may lack.
      raise UserError(
        f"{where} is malformed.",
        expected=(form.__doc__ or "an example").split("\n")[0],
        found=f"{type(error).__name__}: {error}",
        remedy="get the file again from where its authors publish it",
      ) from error
    if pair:
      pairs.append(pair)
  return pairs
