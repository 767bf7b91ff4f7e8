"""Solves 'Mia has 5 pens. Mia sells 3. … How many pens does Mia have?'."""

import itertools
import operator
import random
import re
from collections.abc import Sequence

from distill.teacher.builtin.solution import Solution, listed

_START = re.compile(r"\w+ has ([0-9]{1,9}) \w+$")
_GAIN = re.compile(r"\w+ (?:finds|buys|gets) ([0-9]{1,9})\b")
_LOSS = re.compile(r"\w+ (?:loses|sells|gives) ([0-9]{1,9})\b")
_TIMES = re.compile(r"(?:Then )?\w+ has ([0-9]|\w+?)(?: times)? as many$")
_VERB = re.compile(r"\w+ (doubles|triples) them$")
_FACTORS = {"twice": 2, "three": 3, "doubles": 2, "triples": 3}
_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_SLIPS = (-10, -2, -1, 1, 2, 10)
Step = tuple[str, int]


def solve(question: str, mistake: random.Random | None) -> Solution | None:
  """Returns '5 - 3 = 2, 2 * 2 = 4.'; a mistake miscalculates one step."""
  story, _, asked = question.rpartition(". ")
  first, *told = story.split(". ")
  start = _START.match(first)
  steps = [step for step in map(_read_step, told) if step]
  if not start or not steps or len(steps) < len(told):
    return None
  if not asked.startswith("How many"):
    return None
  slips = [(-1, 0)]
  if mistake is not None:
    slips = list(itertools.product(range(len(steps)), _SLIPS))
    mistake.shuffle(slips)
  for place, slip in slips:
    values = _values(int(start[1]), steps, place, slip)
    # A person who miscounts does not go on with less than nothing.
    if mistake is None or min(values) >= 0:
      break
  equations = [
    (f"{before} {sign} {amount} =", str(after))
    for before, (sign, amount), after in zip(
      values, steps, values[1:], strict=False
    )
  ]
  return Solution(listed(equations, ",", "."), str(values[-1]))


def _read_step(sentence: str) -> Step | None:
  """Returns the sign and the amount of one sentence, None if it has none."""
  if match := _GAIN.match(sentence):
    return "+", int(match[1])
  if match := _LOSS.match(sentence):
    return "-", int(match[1])
  if match := _TIMES.match(sentence) or _VERB.match(sentence):
    word = match[1]
    factor = int(word) if word.isdecimal() else _FACTORS.get(word, 0)
    return ("*", factor) if factor else None
  return None


def _values(
  start: int, steps: Sequence[Step], place: int, slip: int
) -> list[int]:
  """Returns the value before each step and at last, off by `slip` at one."""
  values = [start]
  for number, (sign, amount) in enumerate(steps):
    value = _SIGNS[sign](values[-1], amount)
    values.append(value + slip if number == place else value)
  return values
