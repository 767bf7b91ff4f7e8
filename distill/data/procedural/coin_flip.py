"""Coin flip (Wei et al. 2022, 4): is the coin still heads up?"""

from dataclasses import dataclass

from distill.data.procedural.generation import (
  Choices,
  ProceduralDataset,
  check_number,
)
from distill.data.procedural.names import NAMES


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
