"""Which examples and rationales training sees, by gin's macros.

Tasks ask for it whenever they read a training split, so that every task of a
mixture sees the same examples. Other splits are never selected from, nor are
tasks that this project does not register. SeqIO's offline caches hold none of
its tasks.
"""

import dataclasses
import math
from collections.abc import Collection

import gin

from distill.annotations import NonNegativeInt, PositiveInt
from distill.answers.rules import TextAnswer
from distill.data import filters
from distill.data.cache import records
from distill.data.examples import in_order, share_size
from distill.errors import UserError

# All but 'teacher', which needs to be told their order.
PICKS = tuple(way for way in filters.WAYS if way != "teacher")
CURRICULA = ("rationale_length", "teacher_agreement")


@gin.register
@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
  """What is selected; the defaults select everything.

  `seed` puts the examples' ids in an order. Whatever takes a part takes its
  beginning, so that a smaller part is within a larger one, and the examples
  that keep their rationales at a coverage of 25% are those of the fraction 25%.

  Attributes:
    num_examples: So many examples of the fraction; None is all of it.
    fraction: The share of the training split.
    seed: Of the order, and of rationales picked at random.
    coverage: The share of the selected examples that keep their rationales.
      Labels, the teacher's too, stay for all.
    rationales: The most rationales of an example, right and wrong; None is
      all. No empty one is counted.
    pick: How they are picked, one of `PICKS`.
    min_words: The fewest words of a rationale; others are left out.
    max_words: The most, None for no limit.
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
      _check(macro, share, 0 <= share <= 1, "a number from 0 to 1")
    for macro, count in (
      ("NUM_TRAIN_EXAMPLES", self.num_examples),
      ("RATIONALES_PER_EXAMPLE", self.rationales),
    ):
      _check(macro, count, count is None or count > 0, "None, or at least 1")
    names = (*CURRICULA, None)
    _check("RATIONALE_PICK", self.pick, self.pick in PICKS, str(PICKS))
    _check("CURRICULUM", self.curriculum, self.curriculum in names, str(names))

  @property
  def is_everything(self) -> bool:
    """Whether nothing is left out or put in another order."""
    return self == Selection(seed=self.seed, pick=self.pick)

  def count(self, examples: int) -> int:
    """Returns how many of so many examples are selected.

    Raises:
      UserError: There are fewer than NUM_TRAIN_EXAMPLES.
    """
    whole = share_size(self.fraction, examples)
    if self.num_examples is None:
      return whole
    _check(
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

  def answers(self, record: records.Record, covered: bool) -> records.Record:
    """Returns the record with the selected answers.

    Where none is, all rationales are empty and the teacher's labels stay.
    """
    # Empty ones are not picked; where all answers stay, they keep their labels.
    limited = self.rationales is not None or self.max_words is not None
    wanted = filters.Filters(
      min_words=max(int(limited), self.min_words),
      max_words=self.max_words,
      pick=self.rationales,
      by=self.pick,
      seed=self.seed,
    )
    places = list(range(len(record.rationales))) if covered else []
    for _, keep in wanted.steps(TextAnswer()):
      places = keep(record, places)
    if places:
      return filters.select(record, places)
    return dataclasses.replace(
      record, rationales=("",) * len(record.rationales)
    )

  def hardness(self, record: records.Record) -> float:
    """Returns what the curriculum sorts by, the easiest being the least."""
    if self.curriculum == "teacher_agreement":
      right = [agrees == records.AGREES for agrees in record.agrees]
      return -sum(right) / len(right) if right else math.inf
    words = [len(text.split()) for text in record.rationales if text]
    return sum(words) / len(words) if words else math.inf

  def check_order(self, shuffle: bool) -> None:
    """Raises UserError if a curriculum is to be shuffled."""
    if self.curriculum is not None and shuffle:
      raise UserError(
        "A curriculum is an order, and shuffling would undo it.",
        expected="SHUFFLE = False with CURRICULUM",
        found=f"CURRICULUM = {self.curriculum!r}, SHUFFLE = True",
        remedy="set --gin.SHUFFLE=False, or CURRICULUM = None",
      )


def _check(macro: str, value: object, right: bool, expected: str) -> None:
  if not right:
    raise UserError(
      f"The gin macro {macro} has no such value.",
      expected=expected,
      found=repr(value),
    )


def current_selection() -> Selection:
  """Returns what gin says at this moment; without gin, everything."""
  return gin.get_configurable(Selection)()
