"""Tracking shuffled objects (BIG-bench): who holds what after the swaps?"""

from dataclasses import dataclass

from distill.data.procedural.generation import (
  Choices,
  ProceduralDataset,
  check_number,
)
from distill.data.procedural.names import NAMES

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
