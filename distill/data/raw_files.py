"""Rows of other people's files, JSON or JSON lines, and where they are."""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from distill.errors import UserError


def raw_folder(*parts: str) -> pathlib.Path:
  """Returns a path in $DISTILL_RAW_DATA_DIR; UserError if it is not set."""
  root = os.environ.get("DISTILL_RAW_DATA_DIR", "")
  if root:
    return pathlib.Path(root, *parts)
  raise UserError(
    "Nothing says where published files are.",
    expected=f"a folder in DISTILL_RAW_DATA_DIR that has {'/'.join(parts)}",
    found="the variable is not set",
    remedy="set it",
  )


def read_json(path: pathlib.Path) -> Any:
  """Returns what a JSON file holds, as a list of rows if it is JSON lines.

  Raises:
    UserError: It cannot be read, or it is neither.
  """
  try:
    text = path.read_text(encoding="utf-8")
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(
      f"{path} cannot be read.",
      expected="a file of JSON or JSON lines, in UTF-8",
      found=str(error),
    ) from error
  try:
    return _whole(json.loads(text))
  except (ValueError, RecursionError):
    return [_whole(row) for row in _lines(path, text)]


def _whole(value: Any) -> Any:
  """Returns it with '?' for halves of surrogate pairs, which no file holds."""
  if isinstance(value, str):
    # As good as free where there are none.
    return value.encode("utf-8", "replace").decode("utf-8")
  if isinstance(value, list):
    return [_whole(item) for item in value]
  if isinstance(value, dict):
    return {_whole(key): _whole(item) for key, item in value.items()}
  return value


def _lines(path: pathlib.Path, text: str) -> Iterator[Any]:
  # Not `splitlines`: rationales contain U+2028.
  for number, line in enumerate(text.split("\n"), start=1):
    if line.strip():
      try:
        yield json.loads(line)
      except (ValueError, RecursionError) as error:
        raise UserError(
          f"Line {number} of {path} is not JSON.",
          expected="one JSON value a line",
          found=f"{line[:60]} ({error})",
        ) from error


def read_rows(path: pathlib.Path) -> list[dict[str, Any]]:
  """Returns a file's JSON objects; raises UserError if it holds others."""
  rows = read_json(path)
  if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
    return rows
  # A file of one line is one object.
  if isinstance(rows, dict):
    return [rows]
  raise UserError(f"{path} has other rows.", expected="JSON objects")
