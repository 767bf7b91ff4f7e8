"""SVAMP (Patel et al. 2021), read from its published SVAMP.json."""

import json
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from distill.data import raw_files
from distill.data.examples import Example, check_split, hash_bucket, with_ids
from distill.errors import UserError

_ROWS = 1000
_TRAIN_ROWS = 800
_VALIDATION_PART = 10


@dataclass(frozen=True)
class Svamp:
  r"""Body + '\n' + Question → Equation, such as '( 84.0 / 2.0 )'.

  The split into 800 and 200 is that of Distilling Step-by-Step's code; about
  a tenth of the 800, chosen by a hash of the input, is held out for validation.

  Attributes:
    path: The JSON file, by default $DISTILL_RAW_DATA_DIR/svamp/SVAMP.json.
    name: The family's name.
  """

  path: str | None = None
  name: str = "svamp"
  splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

  def examples(self, split: str) -> Sequence[Example]:
    """Returns a split's examples in the order of the published code.

    Raises:
      UserError: There is no such split, or the file is absent or malformed.
    """
    check_split(self, split)
    rows = _read(self._path())
    order = np.random.RandomState(0).permutation(_ROWS)
    if split == "test":
      return with_ids(rows[i] for i in order[_TRAIN_ROWS:])
    held_out = split == "validation"
    return with_ids(
      rows[i]
      for i in order[:_TRAIN_ROWS]
      if self.held_out(rows[i][0]) == held_out
    )

  def held_out(self, input: str) -> bool:
    """Returns whether an input of the first 800 is for validation."""
    return hash_bucket(input, _VALIDATION_PART) == 0

  def _path(self) -> pathlib.Path:
    if self.path is not None:
      return pathlib.Path(self.path)
    return raw_files.raw_folder("svamp", "SVAMP.json")


def _read(path: pathlib.Path) -> list[tuple[str, str]]:
  """Returns (input, label) of every row of the file, in its order."""
  try:
    rows = json.loads(path.read_bytes())
  except OSError as error:
    raise UserError(
      f"SVAMP's file {path} cannot be read.",
      expected="SVAMP.json as github.com/arkilpatel/SVAMP publishes it",
      found=str(error),
      remedy="put it there, or name its place by DISTILL_RAW_DATA_DIR",
    ) from error
  except ValueError as error:
    raise _malformed(str(path), "JSON in UTF-8", str(error)) from error
  if not isinstance(rows, list) or len(rows) != _ROWS:
    found = len(rows) if isinstance(rows, list) else type(rows).__name__
    raise _malformed(str(path), f"a list of {_ROWS} rows", str(found))
  return [_parse(row, f"row {i} of {path}") for i, row in enumerate(rows)]


def _parse(row: Any, where: str) -> tuple[str, str]:
  fields = ("Body", "Question", "Equation")
  if not isinstance(row, dict):
    raise _malformed(where, "an object", type(row).__name__)
  for field in fields:
    value = row.get(field)
    if not isinstance(value, str) or not value.strip():
      raise _malformed(where, f"text in '{field}'", repr(value))
  body, question, equation = (row[field] for field in fields)
  return f"{body}\n{question}", equation


def _malformed(what: str, expected: str, found: str) -> UserError:
  return UserError(
    f"SVAMP is malformed: {what}.",
    expected=expected,
    found=found,
    remedy="get SVAMP.json again from github.com/arkilpatel/SVAMP",
  )
