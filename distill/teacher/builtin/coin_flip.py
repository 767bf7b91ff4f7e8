"""Solves 'A coin is heads up. Ann flips it. … Is it still heads up?'."""

import random
import re

from distill.teacher.builtin.solution import Solution, broken_step

_DEED = re.compile(r"(\w+) (flips|does not flip) (?:it|the coin)\b")
_SIDES = ("heads", "tails")


def solve(question: str, mistake: random.Random | None) -> Solution | None:
  """Returns 'Ann flips: tails. Bob does not: tails.'; a mistake turns the
  coin where it stays or leaves it where it turns.
  """
  deeds = _DEED.findall(question)
  if not deeds or "still heads up" not in question:
    return None
  broken = broken_step(mistake, len(deeds))
  side = 0
  sentences = []
  for step, (who, deed) in enumerate(deeds):
    flips = deed == "flips"
    side ^= flips != (step == broken)
    sentences.append(
      f"{who} {'flips' if flips else 'does not'}: {_SIDES[side]}."
    )
  return Solution(" ".join(sentences), "no" if side else "yes")
