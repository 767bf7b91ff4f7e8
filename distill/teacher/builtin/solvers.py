"""Solvers of the procedural questions, which show their work in steps."""

import itertools
import operator
import random
import re
import string
from collections.abc import Callable, Iterable, Sequence
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


# Returns the solution of a question, None if the question is of another kind.
# With a generator, one random step is wrong and the later steps follow from it,
# so that the answer is wrong and the reasoning still leads to it.
Solver = Callable[[str, random.Random | None], Solution | None]


def _steps(
  parts: Iterable[tuple[str, str]], between: str, end: str
) -> tuple[Step, ...]:
  """Returns steps with `between` after each result and `end` after the last."""
  *first, (work, result) = parts
  steps = [Step(some, each + between) for some, each in first]
  return (*steps, Step(work, result + end))


_LETTERS_QUESTION = re.compile(r'last letters\b.*?"([^"]+)"', re.IGNORECASE)


def solve_last_letters(
  question: str, mistake: random.Random | None
) -> Solution | None:
  """Solves 'Join the last letters of "mifo taru keb".'.

  The reasoning is 'mifo ends in o, taru in u, keb in b: oub.'. A mistake takes
  another letter of one word for its last.
  """
  match = _LETTERS_QUESTION.search(question)
  words = match[1].split() if match else []
  if not words:
    return None
  letters = [word[-1] for word in words]
  if mistake is not None:
    place = mistake.randrange(len(words))
    last = letters[place]
    others = [x for x in words[place] if x != last]
    others = others or [x for x in string.ascii_lowercase if x != last]
    letters[place] = mistake.choice(others)
  ends = [
    (f"{word} in" if place else f"{word} ends in", letter)
    for place, (word, letter) in enumerate(zip(words, letters, strict=True))
  ]
  answer = "".join(letters)
  return Solution((*_steps(ends, ",", ":"), Step("", f"{answer}.")), answer)


_FLIP = re.compile(r"(\w+) (flips|does not flip) (?:it|the coin)\b")
# The answer for each side of the coin.
STILL_HEADS_UP = {"heads": "yes", "tails": "no"}


def solve_coin_flip(
  question: str, mistake: random.Random | None
) -> Solution | None:
  """Solves 'A coin is heads up. Ann flips it. … Is it still heads up?'.

  The reasoning is 'Ann flips: tails. Bob does not: tails.'. A mistake turns the
  coin where it stays, or leaves it where it turns.
  """
  flips = _FLIP.findall(question)
  if not flips or "still heads up" not in question:
    return None
  wrong = -1 if mistake is None else mistake.randrange(len(flips))
  sides = tuple(STILL_HEADS_UP)
  side = 0
  steps = []
  for place, (who, verb) in enumerate(flips):
    turns = verb == "flips"
    side ^= turns != (place == wrong)
    steps.append(
      Step(f"{who} {'flips' if turns else 'does not'}:", f"{sides[side]}.")
    )
  return Solution(tuple(steps), STILL_HEADS_UP[sides[side]])


_HOLDS = re.compile(r"(\w+) (?:holds )?the (\w+)")
_SWAP = re.compile(r"(\w+) and (\w+) swap")
_HOLDER = re.compile(r"What does (\w+) hold\?")
_Swap = tuple[str, str]


def solve_tracking_shuffled_objects(
  question: str, mistake: random.Random | None
) -> Solution | None:
  """Solves 'Ann holds the key, Bob the cup. Ann and Bob swap. What does …'.

  The reasoning is 'Ann, Bob hold key, cup; then cup, key.'. A mistake swaps
  another pair in one step, or nobody.
  """
  start = dict(_HOLDS.findall(question))
  swaps: list[_Swap] = _SWAP.findall(question)
  asked = _HOLDER.search(question)
  named = {who for swap in swaps for who in swap}
  if not swaps or not asked or not start.keys() >= named | {asked[1]}:
    return None
  states = _states(start, swaps)
  if mistake is not None:
    states = _wrong_states(start, swaps, asked[1], mistake)
  parts = [
    ("then" if place else f"{', '.join(start)} hold", ", ".join(state.values()))
    for place, state in enumerate(states)
  ]
  return Solution(_steps(parts, ";", "."), states[-1][asked[1]])


def _states(
  start: dict[str, str], swaps: Sequence[_Swap]
) -> list[dict[str, str]]:
  """Returns who holds what, before the first swap and after each."""
  states = [start]
  for a, b in swaps:
    before = states[-1]
    states.append({**before, a: before[b], b: before[a]})
  return states


def _wrong_states(
  start: dict[str, str],
  swaps: Sequence[_Swap],
  asked: str,
  mistake: random.Random,
) -> list[dict[str, str]]:
  """Returns the states after one wrong swap that changes the answer.

  Many wrong swaps leave the answer right. Some wrong swap in the last place
  always changes it: it takes another object to `asked`, or the right one away.
  """
  right = _states(start, swaps)[-1][asked]
  # A person who swaps with themselves stands for a swap that is overlooked.
  pairs = [*itertools.combinations(start, 2), (asked, asked)]
  slips = list(itertools.product(range(len(swaps)), pairs))
  mistake.shuffle(slips)
  for place, pair in slips:
    states = _states(start, [*swaps[:place], pair, *swaps[place + 1 :]])
    if states[-1][asked] != right:
      break
  return states


_START = re.compile(r"\w+ has ([0-9]{1,9}) \w+$")
_FACTORS = {"twice": 2, "three": 3, "doubles": 2, "triples": 3}
# The sign and the amount (a number or a factor's word) of a sentence.
_CHANGES = (
  ("+", re.compile(r"\w+ (?:finds|buys|gets) ([0-9]{1,9})\b")),
  ("-", re.compile(r"\w+ (?:loses|sells|gives) ([0-9]{1,9})\b")),
  ("*", re.compile(r"(?:Then )?\w+ has ([0-9]|\w+?)(?: times)? as many$")),
  ("*", re.compile(r"\w+ (doubles|triples) them$")),
)
_SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_SLIPS = (-10, -2, -1, 1, 2, 10)
_Change = tuple[str, int]


def solve_chained_arithmetic(
  question: str, mistake: random.Random | None
) -> Solution | None:
  """Solves 'Mia has 5 pens. Mia sells 3. … How many pens does Mia have?'.

  The reasoning is '5 - 3 = 2, 2 * 2 = 4.'. A mistake miscalculates one step.
  """
  story, _, asked = question.rpartition(". ")
  first, *sentences = story.split(". ")
  start = _START.match(first)
  changes = [change for change in map(_read_change, sentences) if change]
  if not start or not changes or len(changes) < len(sentences):
    return None
  if not asked.startswith("How many"):
    return None
  slips = [(-1, 0)]
  if mistake is not None:
    slips = list(itertools.product(range(len(changes)), _SLIPS))
    mistake.shuffle(slips)
  for place, slip in slips:
    values = _values(int(start[1]), changes, place, slip)
    # A person who miscounts does not go on with less than nothing.
    if mistake is None or min(values) >= 0:
      break
  equations = [
    (f"{before} {sign} {amount} =", str(after))
    for before, (sign, amount), after in zip(
      values, changes, values[1:], strict=False
    )
  ]
  return Solution(_steps(equations, ",", "."), str(values[-1]))


def _read_change(sentence: str) -> _Change | None:
  """Returns the sign and the amount in a sentence, None if it has none."""
  for sign, pattern in _CHANGES:
    if match := pattern.match(sentence):
      word = match[1]
      amount = int(word) if word.isdecimal() else _FACTORS.get(word, 0)
      return (sign, amount) if amount or sign != "*" else None
  return None


def _values(
  start: int, changes: Sequence[_Change], place: int, slip: int
) -> list[int]:
  """Returns the value before each step and at last, wrong by `slip` at one."""
  values = [start]
  for number, (sign, amount) in enumerate(changes):
    value = _SIGNS[sign](values[-1], amount)
    values.append(value + slip if number == place else value)
  return values


_SOLVERS: tuple[Solver, ...] = (
  solve_last_letters,
  solve_coin_flip,
  solve_tracking_shuffled_objects,
  solve_chained_arithmetic,
)


def solve(
  question: str, mistake: random.Random | None = None
) -> Solution | None:
  """Returns the solution by the first solver that reads the question.

  Args:
    question: The question alone.
    mistake: As `Solver` says; None for a right solution.

  Returns:
    The solution, None if no solver reads the question.
  """
  found = (solver(question, mistake) for solver in _SOLVERS)
  return next((solution for solution in found if solution), None)
