"""Which rows a split takes, where the authors publish one file or an index.

A chooser takes the number of rows of a source and returns indices of them, in
the order of the split. All were checked against the published index files.
"""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from distill.data import raw_files
from distill.errors import UserError

Chooser = Callable[[int], Sequence[int]]


def _permuted(count: int) -> list[int]:
  return np.random.RandomState(0).permutation(count).tolist()


def _parts(rows: int, parts: Mapping[str, Sequence[int]]) -> dict[str, Chooser]:
  """Returns choosers that refuse another number of rows than the split's."""

  def choose(count: int, name: str) -> Sequence[int]:
    if count != rows:
      raise UserError(
        "The rows are not those that the published split is of.",
        expected=f"{rows:,} rows",
        found=f"{count:,}",
        remedy="read the file that the split was made for",
      )
    return parts[name]

  return {name: functools.partial(choose, name=name) for name in parts}


def seventy_thirty(rows: int) -> dict[str, Chooser]:
  """Returns Fine-tune-CoT's split of a file with `rows` rows.

  70 and 30% of `RandomState(0)`'s permutation, each in the order of the file
  (Ho et al. 2023; the `*__default.json` of its code).
  """
  order, train = _permuted(rows), round(rows * 0.7)
  parts = {"train": sorted(order[:train]), "test": sorted(order[train:])}
  return _parts(rows, parts)


def eighty_twenty(rows: int) -> dict[str, Chooser]:
  """Returns the split that Distilling Step-by-Step has of SVAMP's rows.

  80 and 20% of `RandomState(0)`'s permutation, in its order.
  """
  order, train = _permuted(rows), rows * 4 // 5
  return _parts(rows, {"train": order[:train], "test": order[train:]})


def subsample(size: int) -> Chooser:
  """Returns a chooser of `size` rows by `RandomState(0)`, in the file's order.

  With 10,000 those of AQuA's 97,467 that Fine-tune-CoT trains on.
  """
  return lambda count: sorted(_permuted(count)[:size])


def from_file(path: str) -> Mapping[str, Chooser]:
  """Returns the split of an index file, such as `multiarith__template.json`.

  Raises:
    UserError: It cannot be read, or it is not `{"train": […], "test": […]}`.
  """
  indices = raw_files.read_json(pathlib.Path(path))
  try:
    parts = {
      name: [int(i) for i in indices[name]] for name in ("train", "test")
    }
    rows = 1 + max(max(part) for part in parts.values())
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f"{path} is no file of indices.",
      expected='{"train": [0, 2, …], "test": [1, …]}',
      found=f"{type(error).__name__}: {error}",
    ) from error
  return _parts(rows, parts)
