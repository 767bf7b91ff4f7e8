"""What procedural datasets share: choices, splits, and running out.

A dataset is a finite space of questions. Its seed orders the space, a hash of
the normalised input deals each question to one split whatever the seed, and a
split of size n is the first n of its questions in that order. So splits (also
of different seeds) never meet, and a smaller size is a prefix of a larger.
"""

import abc
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from distill.data.examples import Example, check_split, example_id, hash_bucket
from distill.errors import UserError, require

T = TypeVar("T")

# Parts in a hundred of every space.
SPLIT_SHARES = {"train": 80, "validation": 10, "test": 10}
_DEALT = [split for split, share in SPLIT_SHARES.items() for _ in range(share)]
DEFAULT_SIZES = {"train": 1000, "validation": 200, "test": 500}
# Beyond this, counting what a split has would take too long.
_COUNTABLE = 1_000_000


class Choices:
  """Reads one point of a space from its index, choice by choice.

  `space` is the product of all choices made so far, so that a draw from index
  0 tells the size of the space if the number of options never depends on an
  earlier choice.
  """

  def __init__(self, index: int) -> None:
    self._rest = index
    self.space = 1

  def below(self, count: int) -> int:
    """Returns a number from 0 to count - 1."""
    self._rest, digit = divmod(self._rest, count)
    self.space *= count
    return digit

  def pick(self, options: Sequence[T]) -> T:
    """Returns one of the options."""
    return options[self.below(len(options))]

  def sample(self, options: Sequence[T], count: int) -> list[T]:
    """Returns `count` different options, in any order."""
    left = list(options)
    return [left.pop(self.below(len(left))) for _ in range(count)]


def split_of(text: str) -> str:
  """Returns the split that an input belongs to."""
  return _DEALT[hash_bucket(text, len(_DEALT))]


@dataclass(frozen=True)
class ProceduralDataset(abc.ABC):
  """A dataset made from a seed; subclasses draw one question at a time.

  Attributes:
    seed: Orders the questions.
    sizes: Examples in each split; a split left out has `DEFAULT_SIZES`.
    name: The family's name, to be set where two settings of one dataset meet.
  """

  seed: int = 0
  sizes: Mapping[str, int] = field(default_factory=dict)
  name: str = ""
  splits: ClassVar[tuple[str, ...]] = tuple(SPLIT_SHARES)

  def __post_init__(self) -> None:
    for split, size in self.sizes.items():
      check_split(self, split)
      check_number(f"The size of {self.name}/{split}", size, 0)

  @abc.abstractmethod
  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the input and the label at one point of the space."""

  def examples(self, split: str) -> Sequence[Example]:
    """Returns the split's examples, no two of the same normalised input.

    Raises:
      UserError: There is no such split, or it has too few examples.
    """
    check_split(self, split)
    size = self.sizes.get(split, DEFAULT_SIZES[split])
    whole = Choices(0)
    self.draw(whole)
    if size > whole.space > _COUNTABLE:
      raise self._too_few(split, size, f"at most {whole.space:,}")
    found: dict[str, Example] = {}
    for text, label in self._questions(whole.space):
      if len(found) == size:
        break
      if split_of(text) == split:
        key = example_id(text)
        found.setdefault(key, Example(key, text, label))
    if len(found) < size:
      raise self._too_few(split, size, f"{len(found):,}")
    return list(found.values())

  def _questions(self, space: int) -> Iterator[tuple[str, str]]:
    order = Permutation(space, self.seed)
    return (self.draw(Choices(order[place])) for place in range(space))

  def _too_few(self, split: str, size: int, available: str) -> UserError:
    return UserError(
      f"{self.name} has too few different examples in split '{split}'.",
      expected=f"{size:,}, the size asked for",
      found=f"{available} at this difficulty",
      remedy=f"lower sizes['{split}'], or raise the difficulty",
    )


def check_number(what: str, value: int, least: int, most: int = 10**9) -> None:
  """Raises UserError unless `value` is a whole number from least to most."""
  valid = isinstance(value, int) and least <= value <= most
  require(what, value, valid, f"a whole number from {least} to {most}")


_ROUNDS = 4


class Permutation:
  """Maps each of 0 … size-1 to another one of them, by seed.

  A Feistel network over the next power of four, walked until it comes back
  into range: no memory, no repeats, any size.
  """

  def __init__(self, size: int, seed: int) -> None:
    self._size = size
    self._half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    self._half_bytes = (self._half_bits + 7) // 8
    self._mask = (1 << self._half_bits) - 1
    self._keys = [f"{seed}/{turn}/".encode() for turn in range(_ROUNDS)]

  def __getitem__(self, place: int) -> int:
    """Returns what stands at `place`, both in [0, size)."""
    while True:
      place = self._mix(place)
      if place < self._size:
        return place

  def _mix(self, value: int) -> int:
    left, right = value >> self._half_bits, value & self._mask
    for key in self._keys:
      data = key + right.to_bytes(self._half_bytes, "little")
      digest = hashlib.shake_128(data).digest(self._half_bytes)
      noise = int.from_bytes(digest, "little") & self._mask
      left, right = right, left ^ noise
    return left << self._half_bits | right
