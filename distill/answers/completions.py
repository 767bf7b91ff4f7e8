"""From a completion to a rationale and an answer.

Strict first, by the form that the prompt asked for; tolerant after, by the
other forms and by looser ways to announce an answer. The caller keeps the raw
text. No text raises or takes more than milliseconds.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from distill.answers.rules import AnswerRule

# A longer completion is no rationale; what is beyond is not read.
_LONGEST_TEXT = 32_000
# Looser announcements count only near the end, where conclusions are.
_CONCLUSION = 2000
_TRIGGER = re.compile(r"\bso the answer is\b:?", re.IGNORECASE)
_LOOSE_TRIGGER = re.compile(
  r"(?:\b(?:therefore|thus|hence|so),? )?\b(?:the|my) "
  r"(?:final |correct |best )?answer (?:\([^()\n]{1,40}\) )?is\b:?"
  r"|\*{0,2}\b(?:final )?answer:\*{0,2}|####|\\boxed\{",
  re.IGNORECASE,
)
# Models go on to invent the next question of the few-shot prompt.
_NEXT_QUESTION = re.compile(r"(?:^|\s)Q:|\nPremise:")
_THINKING = ("<think>", "</think>")
_MOST_OBJECTS = 8


@dataclass(frozen=True)
class ParsedCompletion:
  """The two halves of a completion, each '' where it could not be read.

  `said` is the text that stood in the answer's place, read or not: it tells
  an answer that is missing from one that the rule does not know.
  """

  rationale: str
  answer: str
  said: str = field(default="", compare=False)


_NOTHING = ParsedCompletion("", "")


def split_thinking(text: str) -> tuple[str, str]:
  """Returns the `<think>` part of a text, and what it says after it.

  A part that was never closed was cut short: nothing comes after it. Some chat
  templates open it themselves, so that only the closing tag is in the text.
  """
  opening, closing = _THINKING
  before, closed, after = text.rpartition(closing)
  if not closed:
    before, opened, cut_short = text.partition(opening)
    return (cut_short.strip(), before) if opened else ("", text)
  return before.replace(opening, "", 1).strip(), after


def parse_completion(
  text: str, rule: AnswerRule, form: str = "sentence"
) -> ParsedCompletion:
  """Returns the rationale and the answer of a completion.

  Args:
    text: The completion. A `<think>` part is not read.
    rule: Reads the answer.
    form: Which of `FORMS` the prompt asked for. It is tried first, then the
      others and looser announcements, until one gives an answer.

  Returns:
    Both halves; the answer alone is '' where the rationale is clear but `rule`
    cannot read the answer. Both are '' where nothing says where the reasoning
    ended (a refusal, a completion cut short).
  """
  said = split_thinking(text)[1][:_LONGEST_TEXT]
  first = _NOTHING
  for name in (form, *(name for name in FORMS if name != form)):
    found = FORMS[name](said)
    if found is None:
      continue
    rationale, answer = found
    # Some models repeat the prompt's 'A:'.
    rationale = rationale.strip().removeprefix("A:").lstrip()
    parsed = ParsedCompletion(
      rationale, rule.parse(answer) or "", answer.strip()[:_CONCLUSION]
    )
    if parsed.answer:
      return parsed
    if first is _NOTHING:
      first = parsed
  return first


def _sentence(text: str) -> tuple[str, str] | None:
  """Splits at the last 'So the answer is' before an invented 'Q:'.

  It is the form of few-shot prompts (Hsieh et al. 2023, 3.1).
  """
  own = _NEXT_QUESTION.split(text, maxsplit=1)[0]
  return _split_at_last(own, _TRIGGER, 0)


def _tags(text: str) -> tuple[str, str] | None:
  """Reads `<rationale>…</rationale> <answer>…</answer>`, the last answer."""
  before, opened, rest = text.rpartition("<answer>")
  answer, closed, _ = rest.partition("</answer>")
  if not opened or not closed:
    return None
  inside = before.partition("<rationale>")[2] or before
  return inside.partition("</rationale>")[0], answer


def _json(text: str) -> tuple[str, str] | None:
  """Reads the first JSON object that has an 'answer'."""
  decoder = json.JSONDecoder()
  start = -1
  for _ in range(_MOST_OBJECTS):
    start = text.find("{", start + 1)
    if start < 0:
      return None
    try:
      content, _ = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
      continue
    if not isinstance(content, dict):
      continue
    rationale, answer = content.get("rationale", ""), content.get("answer")
    if isinstance(rationale, str) and isinstance(answer, str | int | float):
      return rationale, str(answer)
  return None


def _loose(text: str) -> tuple[str, str] | None:
  """Splits at the last of 'the answer is', 'Answer:', '####', a box."""
  own = _NEXT_QUESTION.split(text, maxsplit=1)[0]
  return _split_at_last(own, _LOOSE_TRIGGER, max(0, len(own) - _CONCLUSION))


def _split_at_last(
  text: str, trigger: re.Pattern[str], start: int
) -> tuple[str, str] | None:
  last = None
  for last in trigger.finditer(text, start):  # noqa: B007
    pass
  return last and (text[: last.start()], text[last.end() :])


# A reader of each form: (rationale, answer), None where it is not of the form.
FORMS: dict[str, Callable[[str], tuple[str, str] | None]] = {
  "sentence": _sentence,
  "tags": _tags,
  "json": _json,
  "loose": _loose,
}
