"""Procedural datasets: made from a seed, with nothing to download.

A dataset is a finite space of questions. Its seed orders the space, a hash of
the normalised input assigns each question to one split whatever the seed, and a
split of size n is the first n of its questions in that order. So splits (also
of different seeds) never overlap, and a smaller size is a prefix of a larger.

`LastLetters` and `CoinFlip` are those of Wei et al. (2022, 4),
`TrackingShuffledObjects` is BIG-bench's, `ChainedArithmetic` is our own.
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
  # The least and the greatest value of each field that sets the difficulty.
  ranges: ClassVar[Mapping[str, tuple[int, int]]] = {}

  def __post_init__(self) -> None:
    for split, size in self.sizes.items():
      check_split(self, split)
      _check_number(f"The size of {self.name}/{split}", size, 0, 10**9)
    for knob, (least, most) in self.ranges.items():
      _check_number(f"The number of {knob}", getattr(self, knob), least, most)

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


def _check_number(what: str, value: int, least: int, most: int) -> None:
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


NAMES = (
  "Ann Bob Cara Dan Eva Finn Gus Hana Ivo Jo Kim Leo "
  "Mia Ned Olga Pia Raj Sam Tia Uma Vic Wen Yan Zoe"
).split()


_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
# Half of the words end in a consonant, so that no ending is a good guess; two
# in three have a syllable in front, so that no place in the question is.
_LENGTHS = (3, 4)
_STARTS = ("", "be", "so")


@dataclass(frozen=True)
class LastLetters(ProceduralDataset):
  """'Join the last letters of "mifo taru keb".' → 'oub'.

  Attributes:
    words: How many words, the difficulty; at 3 an input has under 49 bytes.
  """

  name: str = "last_letters"
  words: int = 3
  ranges = {"words": (1, 100)}

  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the question and the joined last letters."""
    words = [_word(choices) for _ in range(self.words)]
    label = "".join(word[-1] for word in words)
    return f'Join the last letters of "{" ".join(words)}".', label


def _word(choices: Choices) -> str:
  start, length = choices.pick(_STARTS), choices.pick(_LENGTHS)
  # Always four letters, of which a short word drops the last: the number of
  # options must not depend on the length.
  letters = [choices.pick(kind) for kind in (_CONSONANTS, _VOWELS) * 2]
  return start + "".join(letters[:length])


@dataclass(frozen=True)
class CoinFlip(ProceduralDataset):
  """'A coin is heads up. Ann flips it. … Is it still heads up?' → 'no'.

  Attributes:
    people: How many flip it or do not, the difficulty.
  """

  name: str = "coin_flip"
  people: int = 3
  ranges = {"people": (1, len(NAMES))}

  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the question and 'yes' or 'no'."""
    people = choices.sample(NAMES, self.people)
    flips = [choices.pick((True, False)) for _ in people]
    deeds = [
      f"{who} {'flips' if flip else 'does not flip'} it."
      for who, flip in zip(people, flips, strict=True)
    ]
    story = " ".join(["A coin is heads up.", *deeds])
    label = "no" if sum(flips) % 2 else "yes"
    return f"{story} Is it still heads up?", label


_OBJECTS = "ball book cup doll drum hat key kite lamp map ring shell".split()


@dataclass(frozen=True)
class TrackingShuffledObjects(ProceduralDataset):
  """'Ann holds the key, Bob the cup. Ann and Bob swap. …' → 'cup'.

  The label is the object that the person asked about holds at the end.

  Attributes:
    people: How many people, each with one object.
    swaps: How many swaps of two people's objects.
  """

  name: str = "tracking_shuffled_objects"
  people: int = 3
  swaps: int = 3
  ranges = {"people": (2, len(_OBJECTS)), "swaps": (1, 100)}

  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the question and the object."""
    people = choices.sample(NAMES, self.people)
    objects = choices.sample(_OBJECTS, self.people)
    holds = dict(zip(people, objects, strict=True))
    held = [f"{who} the {thing}" for who, thing in holds.items()]
    held[0] = f"{people[0]} holds the {objects[0]}"
    story = [", ".join(held) + "."]
    for _ in range(self.swaps):
      a, b = choices.sample(people, 2)
      holds[a], holds[b] = holds[b], holds[a]
      story.append(f"{a} and {b} swap.")
    asked = choices.pick(people)
    story.append(f"What does {asked} hold?")
    return " ".join(story), holds[asked]


_THINGS = "apples books cards coins eggs pens shells stamps".split()
_GAINS = (
  "{who} finds {amount} more.",
  "{who} buys {amount}.",
  "{who} gets {amount} from {friend}.",
)
_LOSSES = (
  "{who} loses {amount}.",
  "{who} sells {amount}.",
  "{who} gives {amount} to {friend}.",
)
_DOUBLINGS = (
  "{who} doubles them.",
  "Then {who} has twice as many.",
  "Then {who} has 2 times as many.",
)
_TRIPLINGS = (
  "{who} triples them.",
  "Then {who} has three times as many.",
  "Then {who} has 3 times as many.",
)
_QUESTIONS = (
  "How many {things} does {who} have?",
  "How many {things} are there now?",
)
# Above this a product would be beyond the arithmetic of a tiny student.
_LARGEST_FACTOR = 30


@dataclass(frozen=True)
class ChainedArithmetic(ProceduralDataset):
  """'Mia has 5 pens. Mia sells 3. … How many pens does Mia have?' → '4'.

  All numbers on the way are whole and not negative.

  Attributes:
    steps: How many gains, losses and products, the difficulty.
  """

  name: str = "chained_arithmetic"
  steps: int = 2
  ranges = {"steps": (1, 100)}

  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the word problem and the last number, as digits."""
    who, friend = choices.sample(NAMES, 2)
    things = choices.pick(_THINGS)
    value = 2 + choices.below(19)
    story = [f"{who} has {value} {things}."]
    for _ in range(self.steps):
      value, template, amount = _step(choices, value)
      story.append(template.format(who=who, friend=friend, amount=amount))
    question = choices.pick(_QUESTIONS)
    story.append(question.format(things=things, who=who))
    return " ".join(story), str(value)


def _step(choices: Choices, value: int) -> tuple[int, str, int]:
  """Returns the value after one step, the step's template and its amount."""
  kind, wording = choices.below(3), choices.below(3)
  amount = 1 + choices.below(9)
  if kind == 2 and value <= _LARGEST_FACTOR:
    if amount % 2:
      return 2 * value, _DOUBLINGS[wording], 2
    return 3 * value, _TRIPLINGS[wording], 3
  if kind == 0 or amount > value:
    return value + amount, _GAINS[wording], amount
  return value - amount, _LOSSES[wording], amount
