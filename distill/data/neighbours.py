"""Near neighbours among short texts, by the words that they share."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+")
_WORD_OF_LETTERS = re.compile(r"[^\W\d_]+")
# Of texts that share rare words; only a cluster of templates has so many.
_MOST_CANDIDATES = 100


def words(text: str, numbers: bool = True) -> list[str]:
  """Returns the words of a text in lower case, with or without numbers."""
  return (_WORD if numbers else _WORD_OF_LETTERS).findall(text.lower())


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
  other_sets = None
  if others is not None:
    other_sets = [frozenset(words(text, numbers)) for text in others]
  counts = Counter(word for some in sets for word in some)
  counts.update(word for some in other_sets or () for word in some)
  same: dict[frozenset[str], int] = {}
  index: dict[str, list[int]] = defaultdict(list)

  def rarest(some: frozenset[str]) -> list[str]:
    ordered = sorted(some, key=lambda word: (counts[word], word))
    return ordered[: len(some) - math.ceil(threshold * len(some)) + 1]

  def add(place: int, some: frozenset[str]) -> None:
    if some not in same:
      same[some] = place
      for word in rarest(some):
        index[word].append(place)

  def find(some: frozenset[str], there: Sequence[frozenset[str]]) -> int:
    if not some:
      return -1
    if some in same:
      return same[some]
    candidates = _distinct(
      index[word] for word in rarest(some) if word in index
    )
    for _, place in zip(range(_MOST_CANDIDATES), candidates, strict=False):
      shared = len(some & there[place])
      if shared >= threshold * (len(some) + len(there[place]) - shared):
        return place
    return -1

  if other_sets is not None:
    for place, some in enumerate(other_sets):
      add(place, some)
    return [find(some, other_sets) for some in sets]
  found = []
  for place, some in enumerate(sets):
    found.append(find(some, sets))
    add(place, some)
  return found


def _distinct(lists: Iterator[list[int]]) -> Iterator[int]:
  seen: set[int] = set()
  for places in lists:
    for place in places:
      if place not in seen:
        seen.add(place)
        yield place
