"""Explanations of a solution: how they are worded, go wrong and are checked.

All is the same for every solver: only the steps of a solution are read.
"""

import random
import re
from collections.abc import Callable

from distill.teacher.builtin.solvers import (
  STILL_HEADS_UP,
  Solution,
  Step,
  solve,
)

_IRRELEVANT = (
  "(It is raining outside.)",
  "(Cats sleep a lot.)",
  "(Lunch is at noon.)",
)
# What stands before the answer at the end of a verbose explanation.
_CLOSING = "This leads to"
_CLOSING_ANSWER = re.compile(re.escape(_CLOSING) + r" (\w+)\.?$")
_WORD = re.compile(r"\w+")


def _verbose(solution: Solution) -> list[str]:
  texts = [
    f"Step {number}: {step.text}"
    for number, step in enumerate(solution.steps, start=1)
  ]
  texts[0] = f"Let us think step by step. {texts[0]}"
  texts[-1] += f" {_CLOSING} {solution.answer}."
  return texts


def _unchanged(solution: Solution, chance: random.Random) -> Solution:
  del chance
  return solution


def _skip_step(solution: Solution, chance: random.Random) -> Solution:
  """Leaves out a step other than the last; a single step stays."""
  steps = list(solution.steps)
  if len(steps) > 1:
    del steps[chance.randrange(len(steps) - 1)]
  return Solution(tuple(steps), solution.answer)


def _add_irrelevant(solution: Solution, chance: random.Random) -> Solution:
  """Adds an unrelated sentence before a step."""
  steps = list(solution.steps)
  aside = Step("", chance.choice(_IRRELEVANT))
  steps.insert(chance.randrange(len(steps)), aside)
  return Solution(tuple(steps), solution.answer)


def _answer_first(solution: Solution, chance: random.Random) -> Solution:
  """States the answer before its reasons."""
  del chance
  answer = Step("The answer is", f"{solution.answer}:")
  return Solution((answer, *solution.steps), solution.answer)


# The text of each step. Terse: the results only. Verbose: numbered, with an
# opening and a closing.
VERBOSITIES: dict[str, Callable[[Solution], list[str]]] = {
  "normal": lambda solution: [step.text for step in solution.steps],
  "terse": lambda solution: [step.result for step in solution.steps],
  "verbose": _verbose,
}
# What makes a right solution a flawed one; its answer stays right. A wrong step
# is made by the solver.
FLAWS: dict[str, Callable[[Solution, random.Random], Solution]] = {
  "none": _unchanged,
  "wrong_step": _unchanged,
  "skipped_step": _skip_step,
  "irrelevant": _add_irrelevant,
  "answer_first": _answer_first,
}


def progress(question: str, rationale: str) -> tuple[int, bool] | None:
  """Returns how far a rationale follows the built-in teacher's solution.

  The rationale is compared with every verbosity; the one that it follows
  furthest counts. Extra whitespace is ignored. Another wording of a step is a
  wrong step.

  Returns:
    The number of right steps before the first wrong one (its 0-based index),
    and whether no step is wrong or superfluous. None if no solver reads the
    question.
  """
  solution = solve(question)
  if solution is None:
    return None
  words = rationale.split()
  return max(_follow(texts(solution), words) for texts in VERBOSITIES.values())


def _follow(texts: list[str], rationale: list[str]) -> tuple[int, bool]:
  done = 0
  for place, text in enumerate(texts):
    words = text.split()
    if rationale[done : done + len(words)] != words:
      return place, False
    done += len(words)
  return len(texts), done == len(rationale)


def conclusion(question: str, rationale: str) -> str | None:
  """Returns the answer that a rationale leads to, right or wrong.

  It is the word that stands where the right solution has its answer, counted
  from the end.

  Returns:
    The word, None if no solver reads the question or there is no such word.
  """
  solution = solve(question)
  if solution is None:
    return None
  closing = _CLOSING_ANSWER.search(rationale.rstrip())
  if closing:
    return closing[1]
  right, words = map(_answers, (solution.steps[-1].result, rationale))
  if solution.answer not in right:
    return None
  place = len(right) - right.index(solution.answer)
  return words[-place] if place <= len(words) else None


def _answers(text: str) -> list[str]:
  """Returns the words of a text; a side of a coin becomes its answer."""
  return [STILL_HEADS_UP.get(word, word) for word in _WORD.findall(text)]
