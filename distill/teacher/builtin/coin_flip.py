"""Solves 'A coin is heads up. Ann flips it. … Is it still heads up?'."""

import random
import re

from distill.teacher.builtin.solution import Solution, Step, broken_step

_DEED = re.compile(r"(\w+) (flips|does not flip) (?:it|the coin)\b")
# What the side that is up answers.
STILL_HEADS_UP = {"heads": "yes", "tails": "no"}
_SIDES = tuple(STILL_HEADS_UP)


def solve(question: str, mistake: random.Random | None) -> Solution | None:
  """Returns 'Ann flips: tails. Bob does not: tails.'; a mistake turns the
  coin where it stays or leaves it where it turns.
  """
  deeds = _DEED.findall(question)
  if not deeds or "still heads up" not in question:
    return None
  broken = broken_step(mistake, len(deeds))
  side = 0
  steps = []
  for place, (who, deed) in enumerate(deeds):
    flips = deed == "flips"
    side ^= flips != (place == broken)
    told = f"{who} {'flips' if flips else 'does not'}:"
    steps.append(Step(told, f"{_SIDES[side]}."))
  return Solution(tuple(steps), STILL_HEADS_UP[_SIDES[side]])
