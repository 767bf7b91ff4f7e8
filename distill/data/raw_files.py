"""Rows of other people's files, of any common format, and where they are."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from distill.data.examples import shown
from distill.errors import UserError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_WRAPPERS = ("examples", "data")
# The largest that csv takes on every platform.
_LARGEST_CELL = 2**31 - 1
_JSON = (".json", ".jsonl", ".ndjson")
# Hidden files, and what editors leave beside the files that they write.
_ALL = "**/*"
_NO_DATA = (".", "#", "~")


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


def data_files(place: pathlib.Path, pattern: str = _ALL) -> list[pathlib.Path]:
  """Returns a folder's JSON files, less hidden ones and backups, or the file.

  Args:
    place: A folder, or a file, which is taken whatever its name is.
    pattern: Which of a folder's files; all, at any depth, by default.
  """
  if place.is_file() and pattern == _ALL:
    return [place]
  return sorted(
    path
    for path in place.glob(pattern)
    if path.suffix.lower() in _JSON
    and path.is_file()
    and not any(
      part.startswith(_NO_DATA) for part in path.relative_to(place).parts
    )
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
  """Returns the rows of a file, one or more, by the ending of its name.

  `.csv` and `.tsv` with a header line; `.xml`, where the elements `Problem`
  are rows and their children the fields; else JSON or JSON lines, whose rows
  may be wrapped as `{"examples": […]}` or `{"data": […]}`.

  Raises:
    UserError: It cannot be read, it is of another format, it has no rows, or a
      row has more or fewer cells than its header.
  """
  ending = path.suffix.lower()
  if ending in _DELIMITERS:
    rows = _separated(path, _DELIMITERS[ending])
  elif ending == ".xml":
    rows = _problems(path)
  else:
    rows = _objects(path)
  if not rows:
    raise UserError(
      f"{path} has no rows.", expected="a row for each example", found="none"
    )
  return rows


def _separated(path: pathlib.Path, delimiter: str) -> list[dict[str, Any]]:
  text = _read_text(path, "separated values")
  csv.field_size_limit(_LARGEST_CELL)
  reader = csv.reader(
    io.StringIO(text, newline=""),
    delimiter=delimiter,
    # Else a quotation mark that is never closed takes all rows after it. Texts
    # in TSV have quotation marks of their own.
    strict=delimiter == ",",
  )
  try:
    lines = [(reader.line_num, cells) for cells in reader if any(cells)]
  except csv.Error as error:
    raise UserError(
      f"Line {reader.line_num} of {path} cannot be read.",
      expected="separated values with a header line",
      found=str(error),
    ) from error
  names = lines[0][1] if lines else []
  if len(set(names)) < len(names):
    raise UserError(
      f"The header of {path} has a name twice.", found=", ".join(names)
    )
  for number, (line, cells) in enumerate(lines[1:]):
    if len(cells) != len(names):
      field = names[len(cells)] if len(cells) < len(names) else names[-1]
      end = "before" if len(cells) < len(names) else "after"
      raise UserError(
        f"Row {number} of {path}, which ends in line {line}, has another"
        " number of cells than the header.",
        expected=f"{len(names)}: {', '.join(names)}",
        found=f"{len(cells)}: the row ends {end} '{field}'",
        remedy="correct the row; a cell with a delimiter or a line end in it"
        " needs quotation marks",
      )
  return [dict(zip(names, cells, strict=True)) for _, cells in lines[1:]]


def _problems(path: pathlib.Path) -> list[dict[str, Any]]:
  try:
    root = ElementTree.fromstring(_read_text(path, "XML"))
  except ElementTree.ParseError as error:
    raise UserError(f"{path} is no XML.", found=str(error)) from error
  problems = root.iter("Problem")
  return [{field.tag: field.text or "" for field in row} for row in problems]


def _objects(path: pathlib.Path) -> list[dict[str, Any]]:
  rows = read_json(path)
  # A file of one line is one object.
  rows = [rows] if isinstance(rows, dict) else rows
  if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict):
    [row] = rows
    for wrapper in _WRAPPERS:
      if isinstance(row.get(wrapper), list):
        rows = row[wrapper]
        break
    else:
      _check_no_table(path, row)
  if not isinstance(rows, list):
    rows = [rows]
  for number, row in enumerate(rows):
    if not isinstance(row, dict):
      raise UserError(
        f"{path} has other rows.",
        expected="JSON objects",
        found=f"row {number} is {shown(row)}",
      )
  return rows


def _check_no_table(path: pathlib.Path, row: dict[str, Any]) -> None:
  """Raises UserError if a file's only object has columns or rows for fields."""
  for kind, name in ((list, "lists"), (dict, "objects")):
    if row and all(isinstance(value, kind) for value in row.values()):
      raise UserError(
        f"Row 0 of {path} is a whole table.",
        expected="one JSON object for each row, with a text in each field",
        found=f"{name} in the fields {', '.join(map(repr, row))}",
        remedy="write the file by rows, such as JSON lines",
      )
