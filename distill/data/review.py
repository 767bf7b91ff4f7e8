"""A reader's marks of cached answers, as the report page exports them."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from distill import errors
from distill.data.cache.records import Record
from distill.data.selection import Keep, Places

GOOD, BAD = "good", "bad"
_MARKS = (GOOD, BAD, "")
# A record's id and the place of an answer in it → the mark.
Marks = Mapping[tuple[str, int], str]


def read_marks(path: pathlib.Path, task: str, split: str) -> Marks:
  """Returns the marks of the answers of one split.

  Args:
    path: JSON lines with `task`, `split`, `id`, `place` and `mark`, which is
      'good', 'bad' or ''. Of several lines for an answer the last one counts.
    task: The dataset family.
    split: The split.

  Raises:
    UserError: The file cannot be read, or has no mark of that split.
  """
  found: dict[tuple[str, int], str] = {}
  others: set[str] = set()
  try:
    lines = path.read_text(encoding="utf-8").splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UserError(
      f"{path} cannot be read.",
      expected="the marks that the page of `distill report` exports",
      found=str(error),
    ) from error
  for number, line in enumerate(lines, start=1):
    if not line.strip():
      continue
    row = _read_line(line, f"{path}, line {number}")
    if (row["task"], row["split"]) == (task, split):
      found[str(row["id"]), int(row["place"])] = row["mark"]
    else:
      others.add(f"{row['task']}, {row['split']}")
  if not any(found.values()):
    raise errors.UserError(
      f"{path} has no mark of an answer of '{task}', split '{split}'.",
      expected="lines whose mark is 'good' or 'bad'",
      found="marks of " + "; ".join(sorted(others)) if others else "no mark",
    )
  return found


def _read_line(line: str, where: str) -> dict[str, Any]:
  try:
    row = json.loads(line)
    known = row["mark"] in _MARKS and {"task", "split", "id"} <= row.keys()
    if known and isinstance(row["place"], int):
      return row
  except (ValueError, TypeError, KeyError, AttributeError):
    pass  # The line is shown below.
  raise errors.UserError(
    f"{where} is no mark.",
    expected='{"task": …, "split": …, "id": …, "place": 0, "mark": "good"}',
    found=errors.printable(line),
  )


def filter_by(marks: Marks, only_good: bool) -> Keep:
  """Returns the filter that drops answers marked bad.

  Args:
    marks: The marks.
    only_good: Also drop what has no mark, so that only those stay that a reader
      found good (the golden filter of Ho et al. 2023).
  """

  def keep(row: Record, places: Places) -> list[int]:
    wanted = (GOOD,) if only_good else (GOOD, "")
    return [
      place for place in places if marks.get((row.id, place), "") in wanted
    ]

  return keep
