"""What a solver gives, and how it errs."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Step(NamedTuple):
  """A step of the reasoning: '5 - 3 =' and '2,', with its punctuation."""

  work: str
  result: str

  @property
  def text(self) -> str:
    """The whole step."""
    return f"{self.work} {self.result}".lstrip()


@dataclass(frozen=True)
class Solution:
  """Reasoning in steps, and the answer that it leads to."""

  steps: tuple[Step, ...]
  answer: str


# Reads a question and solves it; None: it is not this solver's kind. With a
# generator, one step is broken at random, and all later ones follow from it,
# so that the answer is wrong and the reasoning still leads to it.
Solver = Callable[[str, random.Random | None], Solution | None]


def broken_step(mistake: random.Random | None, steps: int) -> int:
  """Returns the position of the step to break, -1 for none."""
  return -1 if mistake is None else mistake.randrange(steps)


def listed(
  steps: Iterable[tuple[str, str]], between: str, end: str
) -> tuple[Step, ...]:
  """Returns steps whose results have `between` after them, the last `end`."""
  *first, last = steps
  return (
    *(Step(work, result + between) for work, result in first),
    Step(last[0], last[1] + end),
  )
