"""Chained arithmetic: word problems of several steps, of our own writing."""

from dataclasses import dataclass

from distill.data.procedural.generation import (
  Choices,
  ProceduralDataset,
  check_number,
)
from distill.data.procedural.names import NAMES

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
