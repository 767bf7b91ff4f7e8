"""Which examples, and which answers to them, training sees.

`Filters` keep answers of a record: pure functions, which ask nobody. A filter
takes a record and the places of the answers that earlier ones kept, and returns
those that it keeps. `Selection` takes a part of a training split by gin's
macros, in the order that asking a teacher uses too.

Tasks ask for the selection whenever they read a training split, so that every
task of a mixture sees the same examples. Other splits are never selected from,
nor are tasks that this project does not register. SeqIO's offline caches hold
none of its tasks.
"""

import dataclasses
import functools
import math
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gin

from distill.answers import finish_reasons
from distill.answers.rules import AnswerRule, TextAnswer
from distill.data import similarity
from distill.data.cache import records
from distill.data.cache.records import Record
from distill.data.examples import in_order, share_size
from distill.errors import NonNegativeInt, PositiveInt, UserError, require

# Places of answers in a record, in any order.
Places = Sequence[int]
Keep = Callable[[Record, Places], list[int]]
_NEAR = 0.8


@dataclass(frozen=True)
class Filters:
  """What is kept; the defaults keep everything.

  Attributes:
    agrees: Keep answers that equal the gold label (Ho et al. 2023, 3).
    majority: Keep the answer that most of an example's samples gave.
    complete: Keep answers that were not truncated and have a rationale.
    verified: Keep rationales that a second teacher found to support the answer.
    unhinted: Keep answers to prompts that did not show the gold label.
    min_words: The minimum number of words in a rationale.
    max_words: The maximum number, None for no limit.
    teachers: Keep answers of these teachers; () keeps all.
    deduplicate: Keep the first of an example's near-duplicate rationales, which
      share 80% of their words.
    pick: The maximum number of answers per example, None for all.
    by: How --pick chooses: first, random, diversity (the least like those
      before it), likelihood or teacher (in the order of --teachers).
    seed: The seed of --by=random.
  """

  agrees: bool = False
  majority: bool = False
  complete: bool = False
  verified: bool = False
  unhinted: bool = False
  min_words: int = 0
  max_words: int | None = None
  teachers: tuple[str, ...] = ()
  deduplicate: bool = False
  pick: int | None = None
  by: str = "first"
  seed: int = 0

  def __post_init__(self) -> None:
    require("--by", self.by, self.by in WAYS, "one of " + ", ".join(WAYS))
    if self.by == "teacher" and not self.teachers:
      raise UserError(
        "Nothing says which teacher's answers are picked first.",
        expected="--teachers, the first choice first",
      )

  def steps(self, rule: AnswerRule) -> list[tuple[str, Keep]]:
    """Returns the filters that are asked for, by name, in their order."""
    low = self.min_words
    high = math.inf if self.max_words is None else self.max_words
    by_name: dict[str, tuple[object, Keep]] = {
      "teachers": (self.teachers, _where("teachers", self.teachers)),
      "complete": (self.complete, _complete),
      "unhinted": (self.unhinted, _where("hinted", (0,))),
      "majority": (self.majority, functools.partial(_majority, rule=rule)),
      "agrees": (self.agrees, _where("agrees", (records.AGREES,))),
      "verified": (self.verified, _where("verdicts", (records.SUPPORTED,))),
      "length": (
        low or high < math.inf,
        functools.partial(_of_length, low=low, high=high),
      ),
      "deduplicate": (self.deduplicate, _distinct),
      "pick": (
        self.pick is not None,
        functools.partial(WAYS[self.by], filters=self),
      ),
    }
    return [(name, keep) for name, (wanted, keep) in by_name.items() if wanted]


def _where(field: str, values: Collection[object]) -> Keep:
  """Returns the filter of answers whose field has one of these values."""
  return lambda row, places: [
    place for place in places if getattr(row, field)[place] in values
  ]


def _complete(row: Record, places: Places) -> list[int]:
  return [
    place
    for place in places
    if finish_reasons.is_whole(row.finish_reasons[place])
    and row.rationales[place]
  ]


def _of_length(row: Record, places: Places, low: int, high: float) -> list[int]:
  words = {place: len(row.rationales[place].split()) for place in places}
  return [place for place in places if low <= words[place] <= high]


def _majority(row: Record, places: Places, rule: AnswerRule) -> list[int]:
  """Keeps the most frequent answer; of equally frequent ones the first."""
  groups: list[list[int]] = []
  for place in places:
    label = row.teacher_labels[place]
    for group in groups:
      if rule.equal(row.teacher_labels[group[0]], label):
        group.append(place)
        break
    else:
      if label:
        groups.append([place])
  return max(groups, key=len, default=[])


def _distinct(row: Record, places: Places) -> list[int]:
  texts = [row.rationales[place] for place in places]
  near = similarity.near_neighbours(texts, threshold=_NEAR)
  return [place for place, there in zip(places, near, strict=True) if there < 0]


def _first(row: Record, places: Places, filters: Filters) -> list[int]:
  return list(places[: filters.pick])


def _random(row: Record, places: Places, filters: Filters) -> list[int]:
  count = min(filters.pick or 0, len(places))
  return random.Random(f"{filters.seed}/{row.id}").sample(list(places), count)


def _likeliest(row: Record, places: Places, filters: Filters) -> list[int]:
  if places and not row.logprobs:
    raise UserError(
      f"The answers to '{row.id}' have no likelihood.",
      expected="a teacher that gives log-probabilities (--logprobs)",
      remedy="pick by another way than likelihood",
    )
  ordered = sorted(places, key=lambda place: -row.logprobs[place])
  return ordered[: filters.pick]


def _by_teacher(row: Record, places: Places, filters: Filters) -> list[int]:
  order = filters.teachers.index
  return sorted(places, key=lambda p: order(row.teachers[p]))[: filters.pick]


def _diverse(row: Record, places: Places, filters: Filters) -> list[int]:
  """Keeps the first, then each time the one least like any kept so far."""
  sets = {p: frozenset(similarity.words(row.rationales[p])) for p in places}
  kept: list[int] = []
  left = list(places)

  def likeness(place: int) -> float:
    return max(
      (similarity.jaccard(sets[place], sets[other]) for other in kept),
      default=0.0,
    )

  while left and len(kept) < (filters.pick or 0):
    kept.append(min(left, key=likeness))
    left.remove(kept[-1])
  return kept


# The ways to pick some of an example's answers, the best first.
WAYS: dict[str, Callable[..., list[int]]] = {
  "first": _first,
  "random": _random,
  "diversity": _diverse,
  "likelihood": _likeliest,
  "teacher": _by_teacher,
}


def select(row: Record, places: Places) -> Record:
  """Returns a record with the answers at these places, in their order."""
  chosen: dict[str, Any] = {
    name: tuple(value[place] for place in places)
    for name, value in vars(row).items()
    if isinstance(value, tuple) and value
  }
  return dataclasses.replace(row, **chosen)


def split_up(row: Record) -> list[Record]:
  """Returns a record for each answer; '/1' and so on follow the id."""
  singles = [select(row, [place]) for place in range(len(row.rationales))]
  return [
    dataclasses.replace(one, id=f"{row.id}/{place}") if place else one
    for place, one in enumerate(singles)
  ]


def choose(
  rows: Iterable[Record],
  steps: Sequence[tuple[str, Keep]],
  expand: bool,
) -> tuple[list[Record], Counter[str]]:
  """Returns the records that keep any answer, and what each filter removed.

  Args:
    rows: All records.
    steps: Filters by name (`Filters.steps`), each on what the last one kept.
    expand: Whether each answer becomes a record of its own.
  """
  removed: Counter[str] = Counter()
  content = []
  for row in rows:
    places = list(range(len(row.rationales)))
    for name, keep in steps:
      kept = keep(row, places)
      removed[name] += len(places) - len(kept)
      places = kept
    if places:
      chosen = select(row, places)
      content += split_up(chosen) if expand else [chosen]
  return content, removed


def _mean_words(record: Record) -> float:
  words = [len(text.split()) for text in record.rationales if text]
  return sum(words) / len(words) if words else math.inf


def _disagreement(record: Record) -> float:
  right = record.agrees.count(records.AGREES)
  return -right / len(record.agrees) if record.agrees else math.inf


# All but 'teacher', which needs an order of teachers.
PICKS = tuple(way for way in WAYS if way != "teacher")
# What each curriculum sorts by, the easiest record being the least.
CURRICULA: dict[str | None, Callable[[Record], float]] = {
  "rationale_length": _mean_words,
  "teacher_agreement": _disagreement,
}


@gin.register
@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
  """The selected subset of a training split; the defaults select everything.

  `seed` puts the examples' ids in an order. Every subset is a prefix of this
  order, so a smaller subset is contained in a larger one. The examples that
  keep their rationales at a coverage of 25% are those of the fraction 25%.

  Attributes:
    num_examples: The number of examples of the fraction; None is all of it.
    fraction: The share of the training split, between 0 and 1.
    seed: The seed of the order, and of rationales picked at random.
    coverage: The share of the selected examples that keep their rationales.
      Labels, including the teacher's, stay for all.
    rationales: The maximum number of rationales of an example, right and
      wrong; None is all. Empty rationales are not counted.
    pick: How they are picked, one of `PICKS`.
    min_words: The minimum number of words; shorter rationales are left out.
    max_words: The maximum number of words, None for no limit.
    curriculum: One of `CURRICULA`: every epoch begins with short rationales,
      or with examples whose answers agree with the gold label. Examples
      without rationales come last. It reads the cache, whatever the task.
  """

  num_examples: PositiveInt | None = None
  fraction: float = 1.0
  seed: int = 0
  coverage: float = 1.0
  rationales: PositiveInt | None = None
  pick: str = "first"
  min_words: NonNegativeInt = 0
  max_words: NonNegativeInt | None = None
  curriculum: str | None = None

  def __post_init__(self) -> None:
    for macro, share in (
      ("DATA_FRACTION", self.fraction),
      ("RATIONALE_COVERAGE", self.coverage),
    ):
      require(macro, share, 0 <= share <= 1, "a number from 0 to 1")
    for macro, count in (
      ("NUM_TRAIN_EXAMPLES", self.num_examples),
      ("RATIONALES_PER_EXAMPLE", self.rationales),
    ):
      require(macro, count, count is None or count > 0, "None, or at least 1")
    names = (*CURRICULA, None)
    require("RATIONALE_PICK", self.pick, self.pick in PICKS, str(PICKS))
    require("CURRICULUM", self.curriculum, self.curriculum in names, str(names))

  @property
  def is_everything(self) -> bool:
    """Whether nothing is left out or put in another order."""
    return self == Selection(seed=self.seed, pick=self.pick)

  def count(self, examples: int) -> int:
    """Returns how many of a number of examples are selected.

    Raises:
      UserError: There are fewer than NUM_TRAIN_EXAMPLES.
    """
    whole = share_size(self.fraction, examples)
    if self.num_examples is None:
      return whole
    require(
      *("NUM_TRAIN_EXAMPLES", self.num_examples, self.num_examples <= whole),
      f"at most {whole}, which DATA_FRACTION leaves of {examples}",
    )
    return self.num_examples

  def chosen(self, ids: Collection[str]) -> frozenset[str]:
    """Returns the ids of the selected examples, of all ids."""
    return frozenset(in_order(ids, self.seed)[: self.count(len(ids))])

  def covered(self, chosen: Collection[str]) -> frozenset[str]:
    """Returns the ids of the examples that keep rationales, of the selected."""
    count = round(self.coverage * len(chosen))
    return frozenset(in_order(chosen, self.seed)[:count])

  @property
  def limits_answers(self) -> bool:
    """Whether it depends on an example's answers which of them are selected."""
    return (self.rationales, self.min_words, self.max_words) != (None, 0, None)

  def kept(self, record: Record) -> Places:
    """Returns the places of the selected answers of a record.

    Raises:
      UserError: An answer lacks what it is picked by.
    """
    # Empty ones are not picked; where all answers stay, they keep their labels.
    limited = self.rationales is not None or self.max_words is not None
    wanted = Filters(
      min_words=max(int(limited), self.min_words),
      max_words=self.max_words,
      pick=self.rationales,
      by=self.pick,
      seed=self.seed,
    )
    places: Places = range(len(record.rationales))
    for _, keep in wanted.steps(TextAnswer()):
      places = keep(record, places)
    return places

  def hardness(self, record: Record) -> float:
    """Returns what the curriculum sorts by, the easiest being the least."""
    return CURRICULA[self.curriculum](record)

  def check_order(self, shuffle: bool) -> None:
    """Raises UserError if a curriculum is to be shuffled."""
    if self.curriculum is not None and shuffle:
      raise UserError(
        "A curriculum is an order, and shuffling would undo it.",
        expected="SHUFFLE = False with CURRICULUM",
        found=f"CURRICULUM = {self.curriculum!r}, SHUFFLE = True",
        remedy="set --gin.SHUFFLE=False, or CURRICULUM = None",
      )


def current_selection() -> Selection:
  """Returns what gin says at this moment; without gin, everything."""
  return gin.get_configurable(Selection)()
