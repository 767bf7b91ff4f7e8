"""Near neighbours among short texts, by the words that they share."""

import itertools
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_WORD = re.compile(r"\w+")
_WORD_OF_LETTERS = re.compile(r"[^\W\d_]+")
# Candidates compared with a text. Only texts of one template have more.
_MOST_CANDIDATES = 100


def words(text: str, numbers: bool = True) -> list[str]:
  """Returns the words of a text in lower case, with or without numbers."""
  return (_WORD if numbers else _WORD_OF_LETTERS).findall(text.lower())


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
  """Returns the share of all words that both sets have, 0 without words."""
  return len(one & other) / max(1, len(one | other))


def near_neighbours(
  texts: Sequence[str],
  others: Sequence[str] | None = None,
  threshold: float = 0.7,
  numbers: bool = True,
) -> list[int]:
  """Returns the position of a near neighbour of each text, -1 for none.

  Two texts are near if the Jaccard index of their sets of words reaches the
  threshold. Sets that are that near share one of their rarest words, so only
  those are compared (Chaudhuri et al. 2006), and an exact match comes first.

  Args:
    texts: Whose neighbours are wanted.
    others: Where they are looked for; None: among the texts before each.
    threshold: From 0 (exclusive) to 1.
    numbers: Whether numbers count. Without, a question that another asks of
      other numbers is near.
  """
  sets = [frozenset(words(text, numbers)) for text in texts]
  there = sets
  if others is not None:
    there = [frozenset(words(text, numbers)) for text in others]
  counts = Counter(word for some in sets for word in some)
  if others is not None:
    counts.update(word for some in there for word in some)
  same: dict[frozenset[str], int] = {}
  index: dict[str, list[int]] = defaultdict(list)

  def rarest(some: frozenset[str]) -> list[str]:
    ordered = sorted(some, key=lambda word: (counts[word], word))
    return ordered[: len(some) - math.ceil(threshold * len(some)) + 1]

  def add(place: int) -> None:
    if there[place] not in same:
      same[there[place]] = place
      for word in rarest(there[place]):
        index[word].append(place)

  def find(some: frozenset[str]) -> int:
    if not some:
      return -1
    if some in same:
      return same[some]
    lists = (index[word] for word in rarest(some) if word in index)
    candidates = itertools.islice(_distinct(lists), _MOST_CANDIDATES)
    near = (p for p in candidates if jaccard(some, there[p]) >= threshold)
    return next(near, -1)

  if others is not None:
    for place in range(len(there)):
      add(place)
    return [find(some) for some in sets]
  found = []
  for place, some in enumerate(sets):
    found.append(find(some))
    add(place)
  return found


def _distinct(lists: Iterator[list[int]]) -> Iterator[int]:
  seen: set[int] = set()
  for places in lists:
    for place in places:
      if place not in seen:
        seen.add(place)
        yield place


# What a text calls its parts, with a colon after it.
_PART = re.compile(
  r"(?<!\w)(?:q|a|question|problem|premise|hypothesis|context|passage|story"
  r"|body|input|text|sentence|review|instruction|answer|choices|options"
  r"|(?:answer|multiple)[ -](?:choices|options))\s*:",
  re.IGNORECASE,
)
# What a prompt may put in front, and behind.
_PREFIX = re.compile(r"\s*(?:\[[^\[\]\n]{1,40}\]|[^\n:.?!]{2,60}:)\s*")
_SUFFIX = re.compile(r"\s*let['’]s think step by step\W*$", re.IGNORECASE)
_MOST_PREFIXES = 3
# '(a)', 'a)', 'a.', 'a:', '(1)', 'Answer1:' and the like, before a choice.
_MARK = re.compile(
  r"(?<![\w'’])(?:(?:answer|choice|option)\s*)?"
  r"(?:\(([a-z]|[0-9])\)|([a-z]|[0-9])[).:](?=\s|[^\W\d]))|(?:answer|choice"
  r"|option)([0-9])\s*:",
  re.IGNORECASE,
)
# Where choices without marks begin.
_LISTED = re.compile(
  r"(?<!\w)(?:(?:answer|multiple)[ -])?(?:choices|options)\s*:"
  r"|^\s*[-*•]\s(?=.+\n\s*[-*•]\s)",
  re.IGNORECASE | re.MULTILINE,
)
_FIRST_MARKS = ("a", "1", "0")
# Signs that change what is asked: between operands, or before a number.
_SIGN = re.compile(
  r"(?<=[\w)])\s*([+=<>^×÷])\s*(?=[\w(-])"
  r"|(?<=[0-9)])\s*([-/*])\s*(?=[0-9(])"
  r"|(?<![\w)])(-)(?=[0-9])"
)
_DASHES = str.maketrans(
  dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
# Not \W: it splits words of Hindi, say, at their combining marks.
_SEPARATOR = re.compile(
  r"[\s!-/:-@\[-`{-~\u00a1-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf"
  r"\u060c\u061f\u0964\u0965\u200b-\u206f\u3001-\u3003\u3008-\u3011]+"
)
_SIGN_NAMES = {sign: chr(0xE000 + n) for n, sign in enumerate("+*=<>^×÷-/")}
# Texts with at least this number of words are searched within each other.
_LONG = 6
_INDEXED = 5
# A form may add a question of its own: 'Which choice is true?'.
_MOST_ADDED = 6

Item = TypeVar("Item")


@dataclass(frozen=True)
class Wording:
  """What a text asks.

  Attributes:
    stems: The question's words, without its choices: whole, and without
      prefixes.
    choices: The words of all choices in an order of their own, () for none.
  """

  stems: tuple[tuple[str, ...], ...]
  choices: tuple[str, ...]

  def may_choose(self, other: "Wording") -> bool:
    """Returns whether the choices of one are among those of the other."""
    mine, theirs = Counter(self.choices), Counter(other.choices)
    return mine <= theirs or theirs <= mine


def wording(text: str) -> Wording:
  """Returns what a text asks."""
  text = unicodedata.normalize("NFKC", text).translate(_DASHES)
  stem, choices = _parted(_SUFFIX.sub("", text))
  stems = dict.fromkeys(filter(None, map(_words, _without_prefixes(stem))))
  return Wording(tuple(stems), tuple(sorted(_words(" ".join(choices)))))


def _words(text: str) -> tuple[str, ...]:
  text = _PART.sub(" ", text)
  text = _SIGN.sub(
    lambda found: f" {_SIGN_NAMES[found[found.lastindex or 0]]} ", text
  )
  return tuple(filter(None, _SEPARATOR.split(text.casefold())))


def _without_prefixes(stem: str) -> Iterator[str]:
  yield stem
  for _ in range(_MOST_PREFIXES):
    prefix = _PREFIX.match(stem)
    if prefix is None:
      return
    stem = stem[prefix.end() :]
    yield stem


def _parted(text: str) -> tuple[str, list[str]]:
  """Returns the question and its choices, none where it lists none."""
  marks = [
    (mark.start(), mark.end(), (mark[1] or mark[2] or mark[3]).lower())
    for mark in _MARK.finditer(text)
  ]
  runs = []
  for first, mark in enumerate(marks):
    if mark[2] in _FIRST_MARKS and _words(text[: mark[0]]):
      run = [mark]
      for other in marks[first + 1 :]:
        if ord(other[2]) == ord(run[-1][2]) + 1:
          run.append(other)
      runs.append(run)
  # The longest, of several the last: choices may have numbers in brackets.
  run = max(reversed(runs), key=len, default=[])
  if len(run) > 1:
    ends = [start for start, _, _ in run[1:]] + [len(text)]
    parts = [
      text[end:stop] for (_, end, _), stop in zip(run, ends, strict=True)
    ]
    last, line_end, rest = parts[-1].partition("\n")
    stem = text[: run[0][0]]
    return f"{stem} {rest if line_end else ''}", [*parts[:-1], last]
  listed = _LISTED.search(text)
  if listed and _words(text[: listed.start()]):
    return text[: listed.start()], [text[listed.end() :]]
  return text, []


class Index(Generic[Item]):
  """Things by the wording of their questions."""

  def __init__(self) -> None:
    self._by_stem: dict[tuple[str, ...], list[tuple[Wording, Item]]] = {}
    self._by_start: dict[tuple[str, ...], list[tuple[str, ...]]] = {}

  def add(self, text: str, item: Item) -> None:
    """Adds the thing that a text asks for."""
    asked = wording(text)
    for stem in asked.stems:
      known = self._by_stem.setdefault(stem, [])
      if not known and len(stem) >= _LONG:
        self._by_start.setdefault(stem[:_INDEXED], []).append(stem)
      known.append((asked, item))

  def find(self, text: str) -> list[Item]:
    """Returns the things that a text asks for, of the likeliest reading.

    That is the same question, or else a known one within the text, the last,
    or one that goes on after it for a few words, or the question after some
    lines of instructions.
    """
    asked = wording(text)
    found = self._fitting(asked, asked.stems) or self._fitting(
      asked, self._near(asked.stems[:1])
    )
    for _ in range(_MOST_PREFIXES):
      text = text.partition("\n")[2]
      if found or not text:
        break
      asked = wording(text)
      found = self._fitting(asked, asked.stems)
    return found

  def _fitting(
    self, asked: Wording, stems: Sequence[tuple[str, ...]]
  ) -> list[Item]:
    for stem in stems:
      known = self._by_stem.get(stem, [])
      same = [item for one, item in known if one.choices == asked.choices]
      found = same or [item for one, item in known if asked.may_choose(one)]
      if found:
        return found
    return []

  def _near(self, stems: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Returns known stems within these, the last first, then longer ones."""
    within, longer = [], []
    for words in stems:
      for place in range(len(words) - _INDEXED, -1, -1):
        for stem in self._by_start.get(words[place : place + _INDEXED], ()):
          rest = words[place:]
          if rest[: len(stem)] == stem:
            within.append((place + len(stem), len(stem), stem))
          elif (
            len(rest) >= _LONG
            and stem[: len(rest)] == rest
            and len(stem) - len(rest) <= _MOST_ADDED
          ):
            longer.append(stem)
    return [stem for *_, stem in sorted(within, reverse=True)] + longer
