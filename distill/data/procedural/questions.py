"""The procedural datasets: one class for each kind of question.

`LastLetters` and `CoinFlip` are those of Wei et al. (2022, 4),
`TrackingShuffledObjects` is BIG-bench's, `ChainedArithmetic` is our own.
"""

from dataclasses import dataclass

from distill.data.procedural.generation import (
  Choices,
  ProceduralDataset,
  check_number,
)

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

  def __post_init__(self) -> None:
    super().__post_init__()
    check_number("The number of words", self.words, 1, 100)

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

  def __post_init__(self) -> None:
    super().__post_init__()
    check_number("The number of people", self.people, 1, len(NAMES))

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

  def __post_init__(self) -> None:
    super().__post_init__()
    check_number("The number of people", self.people, 2, len(_OBJECTS))
    check_number("The number of swaps", self.swaps, 1, 100)

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

  def __post_init__(self) -> None:
    super().__post_init__()
    check_number("The number of steps", self.steps, 1, 100)

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
