"""Solves 'Ann holds the key, Bob the cup. Ann and Bob swap. What does …'."""

import itertools
import random
import re
from collections.abc import Sequence

from distill.teacher.builtin.solution import Solution, listed

_HOLDS = re.compile(r"(\w+) (?:holds )?the (\w+)")
_SWAP = re.compile(r"(\w+) and (\w+) swap")
_ASKED = re.compile(r"What does (\w+) hold\?")
Swap = tuple[str, str]


def solve(question: str, mistake: random.Random | None) -> Solution | None:
  """Returns 'Ann, Bob hold key, cup; then cup, key.'; a mistake swaps another
  pair in one step, or nobody.
  """
  start = dict(_HOLDS.findall(question))
  swaps: list[Swap] = _SWAP.findall(question)
  asked = _ASKED.search(question)
  named = {who for swap in swaps for who in swap}
  if not swaps or not asked or not start.keys() >= named | {asked[1]}:
    return None
  states = _states(start, swaps)
  if mistake is not None:
    states = _wrong_states(start, swaps, asked[1], mistake)
  told = [
    ("then" if place else f"{', '.join(start)} hold", ", ".join(state.values()))
    for place, state in enumerate(states)
  ]
  return Solution(listed(told, ";", "."), states[-1][asked[1]])


def _states(
  start: dict[str, str], swaps: Sequence[Swap]
) -> list[dict[str, str]]:
  """Returns who holds what, before the first swap and after each."""
  states = [start]
  for a, b in swaps:
    before = states[-1]
    states.append({**before, a: before[b], b: before[a]})
  return states


def _wrong_states(
  start: dict[str, str],
  swaps: Sequence[Swap],
  asked: str,
  mistake: random.Random,
) -> list[dict[str, str]]:
  """Returns the states after one wrong swap, with another answer.

  Many a wrong swap leaves the answer right. Some in the last place never
  does: it takes another object to `asked`, or the right one away.
  """
  right = _states(start, swaps)[-1][asked]
  # A person who 'swaps' alone stands for a swap that is overlooked.
  pairs = [*itertools.combinations(start, 2), (asked, asked)]
  slips = list(itertools.product(range(len(swaps)), pairs))
  mistake.shuffle(slips)
  for place, pair in slips:
    tried = list(swaps)
    tried[place] = pair
    states = _states(start, tried)
    if states[-1][asked] != right:
      break
  return states
