"""What an example and a dataset are, and how an input becomes an id."""

import hashlib
import json
import numbers
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from distill.errors import UserError, require


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


def absent_splits(dataset: Dataset) -> list[str]:
  """Returns the splits of a dataset that cannot be read without a download."""
  is_there = getattr(dataset, "is_there", lambda split: True)
  return [split for split in dataset.splits if not is_there(split)]


def read_split(dataset: Dataset, split: str) -> Sequence[Example]:
  """Returns the examples of a split, checked: caches join on their ids.

  Raises:
    UserError: Its data cannot be read, an example has no text where it needs
      one, or two examples have one id.
  """
  examples = dataset.examples(split)
  seen: set[str] = set()
  for number, example in enumerate(examples):
    where = f"Example {number} of {dataset.name}'s split '{split}'"
    fields = (example.id, example.input, example.label)
    if not all(isinstance(field, str) for field in fields):
      raise UserError(
        f"{where} is malformed.",
        expected="an id, an input and a label, three texts",
        found=", ".join(map(shown, fields)),
        remedy="make the examples by `distill.data.examples.with_ids`",
      )
    if example.id in seen:
      before = [other.id for other in examples].index(example.id)
      raise UserError(
        f"{where} has the id of example {before}.",
        expected="an id for each example, since caches are joined by ids",
        found=f"two examples with the id '{example.id}'",
        remedy="make the ids by `distill.data.examples.with_ids`",
      )
    seen.add(example.id)
  return examples


def share_size(share: float, examples: int) -> int:
  """Returns the number of examples in a share of them, at least one."""
  return max(1, round(share * examples)) if examples else 0


def in_order(ids: Collection[str], seed: int) -> list[str]:
  """Returns ids in the order whose first entries are a subset of the data.

  Asking a teacher and training both take subsets by it, so that a subset is
  contained in every larger subset of the same seed.
  """

  def place(name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()

  return sorted(ids, key=place)


@dataclass(frozen=True)
class Choice:
  """Which examples of a split are asked about, and what may be missing.

  Attributes:
    fraction: The share of the examples (Vöge et al. 2024). Training with the
      same DATA_FRACTION and seed uses the same examples.
    seed: The seed of the share, DATA_SEED in training.
    limit: The maximum number of examples, from the first.
    allow_failures: Leave out samples that the teacher failed to answer.
    allow_unread: Write the cache even if under a tenth of the first answers can
      be read.
  """

  fraction: float = 1.0
  seed: int = 0
  limit: int | None = None
  allow_failures: bool = False
  allow_unread: bool = False

  def __post_init__(self) -> None:
    share = 0 < self.fraction <= 1
    require("--fraction", self.fraction, share, "above 0, at most 1")
    enough = self.limit is None or self.limit >= 1
    require("--limit", self.limit, enough, "1 or more")

  def examples(self, dataset: Dataset, split: str) -> Sequence[Example]:
    """Returns the chosen examples, in their order.

    Raises:
      UserError: The split cannot be read, or its ids are not unique.
    """
    found = read_split(dataset, split)
    if self.fraction < 1:
      order = in_order([example.id for example in found], self.seed)
      chosen = set(order[: share_size(self.fraction, len(found))])
      found = [example for example in found if example.id in chosen]
    return found[: self.limit]


def shown(value: Any) -> str:
  """Returns a value as JSON has it, shortened for a message."""
  text = json.dumps(value, ensure_ascii=False, default=repr)
  return text if len(text) <= 60 else text[:59] + "…"


def text_of(value: Any, decimals: bool = False) -> str:
  """Returns a text as it is, and a whole number as its digits.

  Args:
    value: The text or number.
    decimals: Whether other finite numbers are also accepted.

  Raises:
    ValueError: It is neither.
  """
  if isinstance(value, str):
    return value
  if isinstance(value, numbers.Integral) and not isinstance(value, bool):
    return str(int(value))
  # Beyond 2**53 a float is no number that anybody wrote.
  if isinstance(value, float) and abs(value) < 2**53:
    if value.is_integer():
      return str(int(value))
    if decimals:
      return str(value)
  raise ValueError(f"{shown(value)} is no text and no whole number")


def pair_of(
  value: Any, called: Callable[[str, Any], str] = lambda name, part: name
) -> tuple[str, str]:
  """Returns an input and its label, '' where that is blank.

  Args:
    value: The pair, as somebody's function made it of a row.
    called: What a message calls the 'input' or the 'label', given the value.

  Raises:
    ValueError: It is no pair of texts, or its input is blank.
  """
  if not isinstance(value, (tuple, list)) or len(value) != 2:
    raise ValueError(f"{shown(value)} is no pair of an input and a label")
  texts = []
  for name, part in zip(("input", "label"), value, strict=True):
    try:
      texts.append(text_of(part))
    except ValueError as error:
      where = called(name, part)
      raise ValueError(f"the {where} is malformed: {error}") from None
  text, label = texts
  if not text.strip():
    raise ValueError(f"the {called('input', value[0])} is blank")
  return text, label if label.strip() else ""


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

  It uses other digits of the hash than the id does. It depends only on the
  normalised input, so inputs that differ in case or spacing share a bucket.
  """
  return int(_digest(text)[16:], 16) % buckets


def with_ids(rows: Iterable[tuple[str, str]]) -> list[Example]:
  """Returns an Example for each (input, label), ids unique among them.

  A repeated input keeps its place and gets '-1', '-2', … after its id, also
  where it differs in case or spacing.

  Raises:
    UserError: A row is no pair of texts, or its input is blank.
  """
  seen: dict[str, int] = {}
  examples = []
  for number, row in enumerate(rows):
    try:
      text, label = pair_of(row)
    except ValueError as error:
      raise UserError(
        f"Row {number} is no example.",
        expected="an input and its label, two texts",
        found=str(error),
      ) from error
    key = example_id(text)
    repeats = seen.get(key, 0)
    seen[key] = repeats + 1
    unique = f"{key}-{repeats}" if repeats else key
    examples.append(Example(unique, text, label))
  return examples
