"""What a solver gives, and how it errs."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Solution:
  """Reasoning in sentences, and the answer that it leads to."""

  reasoning: str
  answer: str


# Reads a question and solves it; None: it is not this solver's kind. With a
# generator, one step is broken at random, and all later ones follow from it,
# so that the answer is wrong and the reasoning still leads to it.
Solver = Callable[[str, random.Random | None], Solution | None]


def broken_step(mistake: random.Random | None, steps: int) -> int:
  """Returns the position of the step to break, -1 for none."""
  return -1 if mistake is None else mistake.randrange(steps)
