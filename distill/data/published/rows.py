"""What a row of somebody's file is, and how one becomes input and label."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from distill.data.examples import pair_of, shown
from distill.errors import UserError

Row = Mapping[str, Any]
# A row → its input and its label ('': unlabeled), or None: it is no example.
# Whole numbers are read as their digits.
Form = Callable[[Row], tuple[Any, Any] | None]


def read(form: Form, found: Iterable[tuple[str, Row]]) -> list[tuple[str, str]]:
  """Returns what a form makes of rows, less those that are no examples.

  Raises:
    UserError: A row, which `found` pairs with its name, is not of that form,
      its input or its label is no text, or its input is blank.
  """
  pairs = []
  for where, row in found:
    try:
      pair = form(row)
      if pair is not None:
        pairs.append(pair_of(pair, functools.partial(_named, row)))
    except Exception as error:  # Whatever a foreign row may lack.
      raise UserError(
        f"{where} is malformed.",
        expected=(form.__doc__ or "an example").split("\n")[0],
        found=reason(error, row),
        remedy="correct the row, or the form that reads it",
      ) from error
  return pairs


def reason(error: Exception, row: Any) -> str:
  """Returns, for a message, what an exception says is wrong with a row."""
  if isinstance(error, KeyError) and isinstance(row, Mapping):
    return f"no field {error}; the row has {', '.join(map(repr, row))}"
  if type(error) is ValueError:
    return str(error)
  said = f"{type(error).__name__}: {error}"
  if isinstance(row, Mapping) and isinstance(
    error, (AttributeError, TypeError)
  ):
    # What a form cannot work on; which field it is, only the form knows.
    for key, value in row.items():
      if not isinstance(value, str):
        said += f"; '{key}' is {shown(value)}"
  return said


def _named(row: Any, name: str, part: Any) -> str:
  """Returns what a part of an example is called, with the row's field."""
  fields = row.items() if isinstance(row, Mapping) else ()
  field = next((key for key, value in fields if value is part), None)
  return name if field is None else f"{name} (field '{field}')"
