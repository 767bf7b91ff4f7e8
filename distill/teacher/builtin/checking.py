"""What a rationale for a procedural question gets right, and concludes."""

import re

from distill.teacher.builtin import coin_flip, wordings
from distill.teacher.builtin.teacher import solve

_CLOSING = re.compile(re.escape(wordings.CLOSING) + r" (\w+)\.?$")
_WORD = re.compile(r"\w+")


def progress(question: str, rationale: str) -> tuple[int, bool] | None:
  """Returns how far a rationale follows the built-in teacher's solution.

  Of the teacher's verbosities the one counts that it follows furthest. Spare
  whitespace does not matter; another wording of a step is a wrong step.

  Returns:
    How many steps are right before the first wrong one (its 0-based index), and
    whether none is wrong or too much. None if no solver reads the question.
  """
  solution = solve(question)
  if solution is None:
    return None
  said = rationale.split()
  return max(
    _follow(texts(solution), said) for texts in wordings.VERBOSITIES.values()
  )


def _follow(texts: list[str], said: list[str]) -> tuple[int, bool]:
  done = 0
  for place, text in enumerate(texts):
    words = text.split()
    if said[done : done + len(words)] != words:
      return place, False
    done += len(words)
  return len(texts), done == len(said)


def conclusion(question: str, rationale: str) -> str | None:
  """Returns the answer that a rationale leads to, right or wrong.

  It is the word that stands where the right solution has its answer, counted
  from the end.

  Returns:
    None if no solver reads the question, or there is no such word.
  """
  solution = solve(question)
  if solution is None:
    return None
  closing = _CLOSING.search(rationale.rstrip())
  if closing:
    return closing[1]
  right, said = map(_answers, (solution.steps[-1].result, rationale))
  if solution.answer not in right:
    return None
  place = len(right) - right.index(solution.answer)
  return said[-place] if place <= len(said) else None


def _answers(text: str) -> list[str]:
  """Returns the words, and of a coin's sides whether it is heads up."""
  words = _WORD.findall(text)
  return [coin_flip.STILL_HEADS_UP.get(word, word) for word in words]
