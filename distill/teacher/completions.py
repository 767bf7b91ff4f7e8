"""From a completion to a rationale and an answer.

The form is that of few-shot chain-of-thought prompts (Hsieh et al. 2023, 3.1):
reasoning, then 'So the answer is …'.
"""

import re
from dataclasses import dataclass

from distill.teacher.answers import AnswerRule

_TRIGGER = re.compile(r"\bso the answer is:?", re.IGNORECASE)
# Models go on to invent the next question of the few-shot prompt.
_NEXT_QUESTION = re.compile(r"(?:^|\s)Q:")


@dataclass(frozen=True)
class ParsedCompletion:
  """The two halves of a completion, each '' where it could not be read."""

  rationale: str
  answer: str


def parse_completion(text: str, rule: AnswerRule) -> ParsedCompletion:
  """Splits a completion at its last 'So the answer is'.

  What follows a next 'Q:' is dropped first. Without the trigger nothing says
  where the reasoning ended (a refusal, a completion cut short), so both halves
  are ''. With it, only an answer that `rule` cannot parse is ''.
  """
  own = _NEXT_QUESTION.split(text, maxsplit=1)[0]
  triggers = list(_TRIGGER.finditer(own))
  if not triggers:
    return ParsedCompletion("", "")
  last = triggers[-1]
  answer = rule.parse(own[last.end() :])
  return ParsedCompletion(own[: last.start()].strip(), answer or "")
