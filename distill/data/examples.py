"""What an example and a dataset are, and how an input becomes an id."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from distill.errors import UserError


@dataclass(frozen=True, slots=True)
class Example:
  """One row: a stable id, the input text, the gold label ('': unlabeled)."""

  id: str
  input: str
  label: str


class Dataset(Protocol):
  """Anything that gives the examples of its named splits, in a fixed order."""

  @property
  def name(self) -> str:
    """The family's name, the first part of its SeqIO task names."""

  @property
  def splits(self) -> Sequence[str]:
    """The names that `examples` takes: train, validation, test."""

  def examples(self, split: str) -> Sequence[Example]:
    """Returns a split; raises UserError if its data cannot be read."""


def check_split(dataset: Dataset, split: str) -> None:
  """Raises UserError unless `split` is one of the dataset's."""
  if split not in dataset.splits:
    raise UserError(
      f"The dataset {dataset.name} has no split '{split}'.",
      expected="one of " + ", ".join(dataset.splits),
    )


def normalise(text: str) -> str:
  """Returns `text` casefolded, with runs of whitespace as single spaces."""
  return " ".join(text.casefold().split())


def _digest(text: str) -> str:
  return hashlib.sha256(normalise(text).encode("utf-8")).hexdigest()


def example_id(text: str) -> str:
  """Returns the id of an input: 16 hex digits of its normalised SHA-256."""
  return _digest(text)[:16]


def hash_bucket(text: str, buckets: int) -> int:
  """Returns which of `buckets` equal parts an input falls into, from 0.

  It reads other digits than the id does, and depends on the normalised input
  alone, so that inputs which differ in case or spacing are never parted.
  """
  return int(_digest(text)[16:], 16) % buckets


def with_ids(rows: Iterable[tuple[str, str]]) -> list[Example]:
  """Returns an Example for each (input, label), ids unique among them.

  A repeated input keeps its place and gets '-1', '-2', … after its id.
  """
  seen: dict[str, int] = {}
  examples = []
  for text, label in rows:
    key = example_id(text)
    repeats = seen.get(key, 0)
    seen[key] = repeats + 1
    unique = f"{key}-{repeats}" if repeats else key
    examples.append(Example(unique, text, label))
  return examples
