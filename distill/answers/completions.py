"""Parses a completion into a rationale and an answer.

The form that the prompt asks for is tried first, then the other forms. If there
are several statements of an answer, the last that the rule can read counts. No
text raises an error or takes more than milliseconds.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from distill.answers import choices, wrappers
from distill.answers.rules import AnswerRule

# Text beyond this length is not read.
_LONGEST_TEXT = 32_000
_LONGEST_WITH_THINKING = 400_000
# Less explicit statements count only near the end, where conclusions are.
_CONCLUSION = 2000
_MOST_STATEMENTS = 32
_LONGEST_FINAL_LINE = 100
_MARKS = r"(?:[*_#>`]{1,4} ?){0,4}"
_TRIGGER = re.compile(r"\bso,? the answer is\b(?! not\b):?", re.IGNORECASE)
_LOOSE_TRIGGER = re.compile(
  rf"{_MARKS}(?:\b(?:therefore|thus|hence|so|then),? )?"
  r"(?<!\bif )(?<!\bwhether )"
  r"\b(?:the|my|our) (?:final |correct |best |right )*(?:answer|choice|option) "
  r"(?:\([^()\n]{1,40}\) )?(?:is|would be|should be|must be)\b(?! not\b):?"
  rf"|{_MARKS}\b(?:final |correct )*answer *{_MARKS}[:=\uff1a]"
  rf"|(?:^|\n) *(?:#{{1,6}} |\*\*|__)(?:final |correct )?answer(?:\*\*|__)?"
  r" *\n"
  r"|####|[ ]-->[ ]"
  r"|\$?\\(?:boxed|fbox)\s?\{",
  re.IGNORECASE,
)
# '(B) is the correct answer.'
_REVERSED = re.compile(
  r"(?:^|[.!?\n]) *(?:(?:so|therefore|thus|hence),? )?([^.!?\n]{1,80}?) is the "
  r"(?:correct|right|best|final) (?:answer|choice|option)\b(?! is\b)",
  re.IGNORECASE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{$", re.IGNORECASE)
# Characters between two triggers of one answer: 'Final answer: The answer is'.
_NOTHING_SAID = re.compile(r"[\s*_#>`:$\[\]()\\.]*")
# Marks at the end of a rationale that belong to the answer after it.
_OPEN_MARKS = "*_#>`$ \n\t"
# Models invent the next question of the few-shot prompt.
_NEXT_QUESTION = re.compile(
  r"(?:^|\s)Q:|\nPremise:|\n\n(?:Question|Human|User):"
)
_THINKING = re.compile(
  r"<(?P<close>/?)(?:think|thinking|thought)>|\[(?P<shut>/?)THINK\]"
  r"|◁(?P<end>/?)think▷",
  re.IGNORECASE,
)
_MOST_TAGS = 256
_MOST_OBJECTS = 8
_CONCLUDING = re.compile(
  r"^(?:(?:so|thus|therefore|hence|finally|the|final|total|result|value"
  r"|conclusion)\b[,:]? ?)+(?:is|=)?:? ?",
  re.IGNORECASE,
)
_LETTER = re.compile(r"\(?[A-Za-z][).:]?")


@dataclass(frozen=True)
class ParsedCompletion:
  """The rationale and the answer, each '' where it could not be read.

  `said` is the text in the answer's place. It distinguishes a missing answer
  from one that the rule cannot read.
  """

  rationale: str
  answer: str
  said: str = field(default="", compare=False)


_NOTHING = ParsedCompletion("", "")
# A rationale, and the text in the answer's place.
Statement = tuple[str, str]


def split_thinking(text: str) -> tuple[str, str]:
  """Returns the text between `<think>` tags, and the text outside of them.

  A tag that is never closed was cut short: all text after it is thinking. Some
  chat templates open the tag themselves, so a closing tag without an opening
  one ends thinking that began with the text. Repeated tags count once.
  """
  folded = text.lower()
  if "think" not in folded and "thought" not in folded:
    return "", text
  thought: list[str] = []
  said: list[str] = []
  thinking, place = False, 0
  for tag in itertools.islice(_THINKING.finditer(text), _MOST_TAGS):
    piece, place = text[place : tag.start()], tag.end()
    (thought if thinking else said).append(piece)
    closes = any(tag.group("close", "shut", "end"))
    if closes and not thinking:
      thought, said = thought + said, []
    thinking = not closes
  (thought if thinking else said).append(text[place:])
  parts = (piece.strip() for piece in thought)
  return "\n\n".join(filter(None, parts)), "".join(said)


def parse_completion(
  text: str, rule: AnswerRule, form: str = "sentence"
) -> ParsedCompletion:
  """Returns the rationale and the answer of a completion.

  Args:
    text: The completion. Its `<think>` part is not read.
    rule: Reads the answer.
    form: The one of `FORMS` that the prompt asks for. It is tried first, then
      the other forms, until one has an answer.

  Returns:
    Both parts. Only the answer is '' where `rule` cannot read it. Both are ''
    where the end of the reasoning is not marked (a refusal, a completion that
    was cut short).
  """
  said = split_thinking(text[:_LONGEST_WITH_THINKING])[1][:_LONGEST_TEXT]
  said = wrappers.own_turn(said)
  first = _NOTHING
  for name in (form, *(name for name in FORMS if name != form)):
    for rationale, answer in FORMS[name](said, rule):
      parsed = ParsedCompletion(
        _own(rationale), rule.parse(answer) or "", answer.strip()[:_CONCLUSION]
      )
      if parsed.answer:
        return parsed
      if first is _NOTHING:
        first = parsed
  return first


def read_answer(text: str, rule: AnswerRule) -> str:
  """Returns the answer of a text that may be only an answer, '' if none.

  A statement such as 'The answer is …' has priority over the rest of the text.
  """
  said = split_thinking(text)[1]
  return parse_completion(said, rule).answer or rule.parse(said) or ""


def _own(rationale: str) -> str:
  # Some models repeat the prompt's 'A:'.
  rationale = rationale.strip().removeprefix("A:").strip()
  # Marks around the answer open before it.
  for opened in (r"\[", r"\("):
    rationale = rationale.rstrip(_OPEN_MARKS).removesuffix(opened)
  return rationale.rstrip(_OPEN_MARKS)


def _sentence(text: str, rule: AnswerRule) -> Iterator[Statement]:
  """Yields each statement of an answer, the last first.

  The form of few-shot prompts is 'So the answer is …' (Hsieh et al. 2023, 3.1),
  before an invented 'Q:'. Near the end, 'Therefore, the answer is', 'Answer:',
  '####', a box, '-->' and a final line that is only an answer ('8', 'Thus
  (b).') count too.
  """
  text = _NEXT_QUESTION.split(text, maxsplit=1)[0]
  near_end = max(0, len(text) - _CONCLUSION)
  spans = {m.span() for m in _TRIGGER.finditer(text)}
  spans |= {m.span() for m in _LOOSE_TRIGGER.finditer(text, near_end)}
  reversed_ends = {}
  if not _reads_any_text(rule):
    for match in _REVERSED.finditer(text, near_end):
      spans.add((match.start(1), match.start(1)))
      reversed_ends[match.start(1)] = match.end(1)
  final = _final_line(text, rule)
  if final is not None:
    spans.add((final, final))
  found = sorted(spans)[-_MOST_STATEMENTS:]
  end = len(text)
  for place in range(len(found) - 1, -1, -1):
    start, after = found[place]
    said = text[after : reversed_ends.get(after, end)]
    end = start
    if _BOX.search(text, start, after):
      said = wrappers.boxed(text, after)[0]
    for earlier, stated in reversed(found[:place]):
      # 'Final answer: the answer is' precedes a single answer.
      if stated <= start and not _NOTHING_SAID.fullmatch(text, stated, start):
        break
      start = min(start, earlier)
    yield text[:start], said


def _reads_any_text(rule: AnswerRule) -> bool:
  return rule.parse("zqx") is not None


def _final_line(text: str, rule: AnswerRule) -> int | None:
  """Returns the position of a last line that is only an answer, or None.

  None, too, for rules that read any text as an answer.
  """
  before, _, line = text.rstrip().rpartition("\n")
  place = len(before) + bool(before)
  if len(line) > _LONGEST_FINAL_LINE or _reads_any_text(rule):
    return None
  if _TRIGGER.search(line) or _LOOSE_TRIGGER.search(line):
    return None
  said = wrappers.first_line(_CONCLUDING.sub("", wrappers.first_line(line)))
  answer = rule.parse(said)
  if answer is None or not said:
    return None
  alone = said.strip("$% ").replace(",", "").casefold()
  if alone == answer.casefold() or _LETTER.fullmatch(said):
    return place
  text = choices.without_letters(said)
  # A line in a list of the choices is not a conclusion.
  last_line = wrappers.first_line(before.rpartition("\n")[2])
  if choices.without_letters(last_line) != last_line:
    return None
  same = choices.folded(text) == choices.folded(answer)
  return place if same else None


def _tags(text: str, rule: AnswerRule) -> Iterator[Statement]:
  """Reads `<rationale>…</rationale> <answer>…</answer>`, the last answer."""
  del rule
  before, opened, rest = text.rpartition("<answer>")
  answer, closed, _ = rest.partition("</answer>")
  if opened and closed:
    inside = before.partition("<rationale>")[2] or before
    yield inside.partition("</rationale>")[0], answer


def _json(text: str, rule: AnswerRule) -> Iterator[Statement]:
  """Reads JSON objects that have an 'answer', the last first."""
  del rule
  decoder = json.JSONDecoder()
  found: list[Statement] = []
  start = -1
  for _ in range(_MOST_OBJECTS):
    start = text.find("{", start + 1)
    if start < 0:
      break
    try:
      content, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
      continue
    if not isinstance(content, dict):
      continue
    rationale, answer = content.get("rationale", ""), content.get("answer")
    if isinstance(rationale, str) and isinstance(answer, str | int | float):
      found.append((rationale, str(answer)))
      start = end - 1
  yield from reversed(found)


# Each form yields its (rationale, answer), the likeliest first.
FORMS: dict[str, Callable[[str, AnswerRule], Iterator[Statement]]] = {
  "sentence": _sentence,
  "tags": _tags,
  "json": _json,
}
