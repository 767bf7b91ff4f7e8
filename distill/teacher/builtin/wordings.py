"""Explanations of another length, or with another flaw than a broken step.

Both are the same for every solver: they see a solution's steps alone.
"""

import random
from collections.abc import Callable

from distill.teacher.builtin.solution import Solution, Step

_IRRELEVANT = (
  "(It is raining outside.)",
  "(Cats sleep a lot.)",
  "(Lunch is at noon.)",
)
# What the answer is called at the end of a verbose explanation.
CLOSING = "This leads to"


def _normal(solution: Solution) -> list[str]:
  return [step.text for step in solution.steps]


def _terse(solution: Solution) -> list[str]:
  return [step.result for step in solution.steps]


def _verbose(solution: Solution) -> list[str]:
  texts = [
    f"Step {number}: {step.text}"
    for number, step in enumerate(solution.steps, start=1)
  ]
  texts[0] = f"Let us think step by step. {texts[0]}"
  texts[-1] += f" {CLOSING} {solution.answer}."
  return texts


def _as_it_is(solution: Solution, chance: random.Random) -> Solution:
  del chance
  return solution


def _skip_step(solution: Solution, chance: random.Random) -> Solution:
  """Leaves out a step that is not the last one; a single step stays."""
  steps = list(solution.steps)
  if len(steps) > 1:
    del steps[chance.randrange(len(steps) - 1)]
  return Solution(tuple(steps), solution.answer)


def _digress(solution: Solution, chance: random.Random) -> Solution:
  """Puts a sentence that has nothing to do with it before a step."""
  steps = list(solution.steps)
  aside = Step("", chance.choice(_IRRELEVANT))
  steps.insert(chance.randrange(len(steps)), aside)
  return Solution(tuple(steps), solution.answer)


def _answer_first(solution: Solution, chance: random.Random) -> Solution:
  """Says the answer before its reasons."""
  del chance
  answer = Step("The answer is", f"{solution.answer}:")
  return Solution((answer, *solution.steps), solution.answer)


# The text of each step, by how much is said: results alone; work and result;
# numbered, with an opening and a closing.
VERBOSITIES: dict[str, Callable[[Solution], list[str]]] = {
  "normal": _normal,
  "terse": _terse,
  "verbose": _verbose,
}
# What makes a right solution a flawed one; its answer stays right. A wrong step
# is the solver's own.
FLAWS: dict[str, Callable[[Solution, random.Random], Solution]] = {
  "none": _as_it_is,
  "wrong_step": _as_it_is,
  "skipped_step": _skip_step,
  "irrelevant": _digress,
  "answer_first": _answer_first,
}
