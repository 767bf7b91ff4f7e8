"""Finds the choice in a line, by its letter or by its text."""

import re
from collections.abc import Sequence

_LINES = re.compile(r"^[ \t]*\(?([A-Za-z])[).][ \t]+(\S.*?)[ \t]*$", re.M)
_INLINE = re.compile(r"(?<!\w)\(([A-Za-z])\)\s*")
_ARTICLE = re.compile(r"^(?:an?|the)\s+(?=\S)", re.IGNORECASE)
_LETTERS = re.compile(
  r"(?:(?:option|choice)\s+)?(?:\([A-Za-z]\)(?=\s)|[A-Z][).:](?=\s))[\s:.-]*",
  re.IGNORECASE,
)

# A letter at the start of a line: bracketed, alone, before punctuation.
_AT_START = re.compile(
  r"(?:(?:option|choice|letter|answer)\s+)?(?:"
  r"[(\[]([A-Za-z])[)\]]"
  r"|([A-Za-z])(?:[).:,;]|$)"
  r"|([A-Z])(?=\s*[–—]|\s+-|\s+\((?![A-Za-z]\))"
  r"|\s+(?:because|since|is|as|would)\b)"
  r")"
)
_NAMED = re.compile(
  r"\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Aa]nswer)\s+[(\[]?([A-Za-z])\b(?![\w'’])"
)
_ENUMERATED = re.compile(r"(?<![\w])[(\[]?([A-Za-z])[)\]](?=\W)")
_REASONS = re.compile(r"\b(?:because|since|as|while|although|unlike)\b|[.;] ")
_BRACKETED = re.compile(r"(?<!\w)[(\[]([A-Za-z])[)\]]")
_CONCLUDED = re.compile(
  r"\b(?:is|be|choose|pick|select|chose|so|thus|therefore)[:,]?\s+([A-Z])"
  r"(?=\W*$|\s*[,;(–—]|\s+(?:because|since|as)\b)"
)
# Another letter beside the first: 'A or B', '(a), (b)', 'B and C'.
_ANOTHER = re.compile(
  r"\s*(?:,|/|&|\bor\b|\band\b)\s*"
  r"(?:(?:option|choice)\s+)?(?:[(\[][A-Za-z][)\]]|[B-HJ-Z](?![\w'’]))"
)
_NOT = re.compile(
  r"(?:\bnot|n['’]t|\bnever|\bneither|\bnor|\brather than|\binstead of)"
  r"\s+(?:(?!but\b)\w+\s+){0,3}$",
  re.IGNORECASE,
)


def listed(input: str) -> tuple[str, ...]:
  """Returns the choices that an input lists, () where it lists none.

  There are at least two, with letters from a or A on, in separate lines ('(a)
  bank', 'A. bank') or in one ('(A) bank, (B) sky').
  """
  in_lines = _run([(m[1], m[2]) for m in _LINES.finditer(input)])
  if in_lines:
    return in_lines
  marks = list(_INLINE.finditer(input))
  ends = [*(mark.start() for mark in marks), len(input)][1:]
  return _run(
    [
      (mark[1], input[mark.end() : end].strip().rstrip(",;. "))
      for mark, end in zip(marks, ends, strict=True)
    ]
  )


def _run(lettered: Sequence[tuple[str, str]]) -> tuple[str, ...]:
  """Returns the last texts whose letters are a, b, c, … in order."""
  runs: list[list[str]] = []
  for letter, text in lettered:
    if letter in "aA":
      runs.append([])
    if runs and letter.lower() == chr(ord("a") + len(runs[-1])):
      runs[-1].append(text)
  return next((tuple(run) for run in reversed(runs) if len(run) > 1), ())


def folded(text: str) -> str:
  """Returns a text without case, article, extra spaces and end marks."""
  text = " ".join(text.casefold().split()).strip(" .,;:!\"'")
  return _ARTICLE.sub("", text)


def without_letters(line: str) -> str:
  """Returns a line without the letters of choices at its start."""
  while (letters := _LETTERS.match(line)) and letters.end() < len(line):
    line = line[letters.end() :]
  return line


def find(line: str, letters: Sequence[str], texts: Sequence[str]) -> int | None:
  """Returns the index of the choice in a line, None unless there is one.

  Args:
    line: An answer without its wrappers.
    letters: The letters of the choices, in lower case.
    texts: The texts of the choices, () to read only letters.
  """
  exact = _exact(line, texts)
  if exact is not None:
    return exact
  found = _letters(line)
  if not found and texts:
    return _mentioned(line, texts)
  if not found:
    return None
  places = {letters.index(letter) for letter in found if letter in letters}
  return places.pop() if len(found) == len(places) == 1 else None


def _exact(line: str, texts: Sequence[str]) -> int | None:
  for compare in (str.strip, str.casefold, folded):
    same = [
      place
      for place, text in enumerate(texts)
      if compare(text) == compare(line)
    ]
    if same and line.strip():
      return same[0] if len({texts[place] for place in same}) == 1 else None
  return None


def _letters(line: str) -> set[str]:
  """Returns the letters of choices in a line, in lower case."""
  start = _AT_START.match(line)
  if start:
    found = {(start[1] or start[2] or start[3]).lower()}
    after = start.end() - (start[0][-1:] == ",")
    another = _ANOTHER.match(line, after)
    if another:
      found.add(another[0].strip("()[] ")[-1].lower())
    # Reasons may mention other choices.
    named = _REASONS.split(line, maxsplit=1)[0]
    return found | {
      match[1].lower()
      for match in _ENUMERATED.finditer(named, start.end())
      if not _NOT.search(named[: match.start()])
    }
  for pattern in (_BRACKETED, _NAMED, _CONCLUDED):
    found = {
      match[1].lower()
      for match in pattern.finditer(line)
      if not _NOT.search(line[: match.start()])
    }
    if found:
      return found
  return set()


def _mentioned(line: str, texts: Sequence[str]) -> int | None:
  """Returns the index of the only text in a line that is not negated."""
  rest = f" {' '.join(line.casefold().split())} "
  places = set()
  by_length = sorted(range(len(texts)), key=lambda p: -len(folded(texts[p])))
  for place in by_length:
    text = folded(texts[place])
    if not re.search(r"\w\w|[^\W_a-zA-Z]", text):
      continue
    pattern = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
    for match in pattern.finditer(rest):
      if not _NOT.search(rest[: match.start()]):
        places.add(place)
    # 'river bank' does not count as 'bank', too.
    rest = pattern.sub("\0", rest)
  return places.pop() if len(places) == 1 else None
