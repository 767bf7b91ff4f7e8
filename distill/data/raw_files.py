"""Rows of other people's files, of any common format, and where they are."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from distill.errors import UserError


def raw_folder(wanted: str) -> pathlib.Path:
  """Returns $DISTILL_RAW_DATA_DIR; UserError, naming the file, if not set."""
  root = os.environ.get("DISTILL_RAW_DATA_DIR", "")
  if root:
    return pathlib.Path(root)
  raise UserError(
    "Nothing says where published files are.",
    expected=f"a folder in DISTILL_RAW_DATA_DIR that has {wanted}",
    found="the variable is not set",
    remedy="set it",
  )


def read_json(path: pathlib.Path) -> Any:
  """Returns what a JSON file holds, as a list of rows if it is JSON lines.

  Raises:
    UserError: It cannot be read, or it is neither.
  """
  text = _read_text(path, "JSON or JSON lines")
  try:
    return _whole(json.loads(text))
  except (ValueError, RecursionError):
    return [_whole(row) for row in _lines(path, text)]


def _read_text(path: pathlib.Path, form: str) -> str:
  try:
    # With line ends as they are: values in CSV may have their own.
    return path.read_bytes().decode("utf-8-sig")
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(
      f"{path} cannot be read.",
      expected=f"a file of {form}, in UTF-8",
      found=str(error),
    ) from error


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


def read_table(path: pathlib.Path) -> list[dict[str, Any]]:
  """Returns the rows of a data set's file, by the ending of its name.

  `.csv` and `.tsv` with a header line; `.xml`, where the elements `Problem`
  are rows and their children the fields; else JSON or JSON lines, whose rows
  may be wrapped as `{"examples": […]}` or `{"data": […]}`.

  Raises:
    UserError: It cannot be read, or it is of another format.
  """
  if path.suffix in (".csv", ".tsv"):
    text = _read_text(path, "separated values")
    delimiter = "," if path.suffix == ".csv" else "\t"
    return list(
      csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    )
  if path.suffix == ".xml":
    try:
      root = ElementTree.fromstring(_read_text(path, "XML"))
    except ElementTree.ParseError as error:
      raise UserError(f"{path} is no XML.", found=str(error)) from error
    problems = root.iter("Problem")
    return [{field.tag: field.text or "" for field in row} for row in problems]
  rows = read_rows(path)
  for wrapper in ("examples", "data"):
    if len(rows) == 1 and isinstance(rows[0].get(wrapper), list):
      return list(rows[0][wrapper])
  return rows
