"""Solves 'Join the last letters of "mifo taru keb".'."""

import random
import re
import string

from distill.teacher.builtin.solution import (
  Solution,
  Step,
  broken_step,
  listed,
)

_QUESTION = re.compile(r'last letters\b.*?"([^"]+)"', re.IGNORECASE)


def solve(question: str, mistake: random.Random | None) -> Solution | None:
  """Returns 'mifo ends in o, taru in u, keb in b: oub.'; a mistake takes
  another letter of one word for its last.
  """
  match = _QUESTION.search(question)
  words = match[1].split() if match else []
  if not words:
    return None
  letters = [word[-1] for word in words]
  broken = broken_step(mistake, len(words))
  if mistake is not None:
    letters[broken] = _other_letter(words[broken], mistake)
  ends = [
    (f"{word} in" if place else f"{word} ends in", letter)
    for place, (word, letter) in enumerate(zip(words, letters, strict=True))
  ]
  answer = "".join(letters)
  joined = Step("", f"{answer}.")
  return Solution((*listed(ends, ",", ":"), joined), answer)


def _other_letter(word: str, mistake: random.Random) -> str:
  others = [letter for letter in word if letter != word[-1]]
  if not others:
    others = [x for x in string.ascii_lowercase if x != word[-1]]
  return mistake.choice(others)
