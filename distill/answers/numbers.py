r"""Numbers in text, with their values.

'1,250', '1 250' and '1.250,00' are the same number. '3 1/2', '½', '1.5e3', '2 ×
10³', '1 million' and '5 - 8 = –3' have a value. Dates, times, ratios, ranges,
'2x', '√2' and '1,2,3' have none. A percent sign and a currency are units: '12
%' is 12, except within arithmetic, where it is 12/100.
"""

import re
from collections.abc import Iterator

from distill.answers import expressions, notation

_LONGEST_NUMBER = 64
# A number and the arithmetic that continues it.
_CHUNK = re.compile(
  r"(?<![\w.])(?<![a-zA-Z]-)[-+($ ]{0,6}(?:[0-9]|\.[0-9])"
  r"(?:[0-9$%]|[.,:'](?=[0-9])|\s*(?:\*\*|[-+*/^=])[\s(]*|\)|\((?=[0-9])"
  r"|\s+(?=[0-9]))*"
)
_SIMPLE = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_HUNDREDTHS = re.compile(
  r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s?%(?!\s?[0-9(])"
)
_DATE = re.compile(r"[0-9][-/][0-9]+[-/][0-9]|(?<![0-9.])0[0-9]")
# Text that makes the number beside it a part of something else.
_POISON_BEFORE = re.compile(
  r"(?:[√±][({]?|[—―]|\b(?:log|ln|sin|cos|tan|between) )$"
)
_CALL_BEFORE = re.compile(r"[a-zA-Z]\($")
_POISON_AFTER = re.compile(
  r"\s?[±π√^]|[xyzniπ](?![a-zA-Z])|[a-zA-Z]+[0-9]|[:,.'][0-9]"
  r"|\s(?:or|to)\s(?:[-$]?[0-9]|the power)|\s(?:squared|cubed)\b"
  r"|\s(?:ten|hundred|thousand|four|fif|six|seven|eigh|nin)ths\b|\sthirds\b"
)


def find(text: str) -> Iterator[str | None]:
  """Yields each number in a text, None for one whose value is unclear.

  A number is as it is written, without separators and units. An expression ('3
  1/2', '5 - 8 = -3') is replaced by its value.
  """
  text = notation.normalized(text)
  for match in _CHUNK.finditer(text):
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    before = text[max(0, start - 12) : start]
    clear = not (
      _POISON_BEFORE.search(before)
      or _POISON_AFTER.match(text, match.end())
      # 'f(3) = 9' has a value, 'sin(30)' does not.
      or (_CALL_BEFORE.search(before) and "=" not in match[0])
    )
    yield _value(match[0].strip()) if clear else None


def starts(text: str) -> bool:
  """Returns whether a text starts with a number."""
  return bool(_CHUNK.match(notation.normalized(text).strip()))


def _value(chunk: str) -> str | None:
  """Returns the value of a piece of arithmetic, None if it has none."""
  if re.match(r"[-+]\s", chunk):  # A dash between words, or a minus.
    return None
  chunk = re.split(r"(?<=[0-9%]) \(", chunk.rsplit("=", 1)[-1])[0].strip()
  chunk = re.sub(r"[-+*/^=(\s]+$", "", chunk.replace("$", " "))
  chunk = re.sub(r"^([-+]?)\s+", r"\1", chunk).strip()
  if _SIMPLE.fullmatch(chunk.rstrip("% ")):
    number = chunk.rstrip("% ").removeprefix("+")
    return number if len(number) <= _LONGEST_NUMBER else None
  if _DATE.search(chunk):
    return None
  chunk = _HUNDREDTHS.sub(r"(\1/100)", chunk).replace("^", "**")
  value = expressions.evaluate(chunk)
  # '3-5' is a range. A subtraction with a negative result states the result.
  if value is None or (value < 0 and re.search(r"[0-9] ?- ?[0-9]", chunk)):
    return None
  return notation.written(value)
