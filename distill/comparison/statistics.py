"""Means over seeds, differences between students, and the two equivalences.

All intervals come from one bootstrap over seeds and test examples. It draws the
same ones for all students that are compared, so that differences are paired.
The papers' equivalences are the smallest share of the data, and the smallest
student, that suffice.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from distill.comparison.results import (
  EQUAL_EXAMPLES,
  STUDENT_FIELDS,
  Result,
  Results,
)

# The name of the smallest student where none suffices.
NONE = "none"
_SAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Group:
  """The seeds of one student."""

  rows: tuple[Result, ...]

  @property
  def first(self) -> Result:
    """The first row, for the fields that all seeds share."""
    return self.rows[0]

  @property
  def coverage(self) -> float:
    """The share of its examples with rationales; 0 without a teacher."""
    return self.first.coverage if self.first.teacher else 0.0

  @property
  def mean(self) -> float:
    """Mean accuracy over the seeds, 0 to 100."""
    return sum(row.accuracy for row in self.rows) / len(self.rows)

  @property
  def standard_error(self) -> float | None:
    """Standard error of the mean; None with a single seed."""
    if len(self.rows) < 2:
      return None
    spread = np.std([row.accuracy for row in self.rows], ddof=1)
    return float(spread) / math.sqrt(len(self.rows))

  def __str__(self) -> str:
    error = self.standard_error
    return f"{self.mean:.1f}" + ("" if error is None else f" ± {error:.1f}")


def group(rows: Sequence[Result]) -> list[Group]:
  """Returns the rows that differ by their seed only, in their order."""
  found: dict[tuple, list[Result]] = {}
  for row in rows:
    key = tuple(getattr(row, field) for field in STUDENT_FIELDS)
    found.setdefault(key, []).append(row)
  return [Group(tuple(members)) for members in found.values()]


def resample(groups: Sequence[Group], seed: int = 0) -> np.ndarray:
  """Returns bootstrapped mean accuracies [samples, groups].

  Only seeds that all groups have are drawn. If the results of single examples
  are not recorded, or are of different examples, only seeds are drawn.

  Returns:
    [0, groups] if nothing can be drawn: one seed and no examples, or no common
    seed.
  """
  seeds = sorted(
    set.intersection(*({row.seed for row in one.rows} for one in groups))
  )
  rows = [
    [next(row for row in one.rows if row.seed == seed) for seed in seeds]
    for one in groups
  ]
  lengths = {len(row.right) for members in rows for row in members}
  if len(lengths) == 1 and lengths != {0}:
    right = [[list(map(int, row.right)) for row in some] for some in rows]
    values = 100.0 * np.array(right)
  else:
    values = np.array([[[row.accuracy] for row in some] for some in rows])
  if values.size <= len(groups):
    return np.empty((0, len(groups)))
  generator = np.random.default_rng(seed)

  def weights(number: int, drawn: int) -> np.ndarray:
    even = np.full(number, 1 / number)
    return generator.multinomial(drawn, even, size=_SAMPLES) / drawn

  _, seeds_there, examples = values.shape
  # Drawing n seeds would make the variance too small by (n - 1) / n (Rao and Wu
  # 1988).
  means = np.einsum(
    "bs,gse,be->bg",
    weights(seeds_there, max(1, seeds_there - 1)),
    values,
    weights(examples, examples),
    optimize=True,
  )
  # Equal means are equal on every machine, in whatever order they are summed.
  return means.round(9)


@dataclasses.dataclass(frozen=True)
class Difference:
  """How much better one student is, in points of accuracy.

  Attributes:
    mean: Over the seeds that both have.
    low: Lower end of the 95% interval; nan if nothing can be drawn.
    high: Upper end.
    p: Two-sided, of no difference.
  """

  mean: float
  low: float
  high: float
  p: float

  def __str__(self) -> str:
    if math.isnan(self.low):
      return f"{self.mean:+.1f} (one seed)"
    return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def difference(one: Group, other: Group) -> Difference:
  """Returns the paired bootstrap of `one` - `other`.

  If seeds of both were repeated with other XLA settings, the difference moved
  by what these change on average is drawn too. The interval covers both, and p
  is the larger of the two.
  """
  common = {row.seed for row in one.rows} & {row.seed for row in other.rows}
  means = [
    np.mean([row.accuracy for row in some.rows if row.seed in common])
    for some in (one, other)
  ]
  mean = float(means[0] - means[1])
  samples = resample([one, other])
  if not len(samples):
    return Difference(mean, math.nan, math.nan, math.nan)
  moved = np.array([0.0, _moved_by_xla(one, other)])
  drawn = samples[:, 0] - samples[:, 1] + moved[:, None]  # [2, samples]
  low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
  extreme = np.minimum((drawn <= 0).sum(1), (drawn >= 0).sum(1)).max()
  p = min(1.0, 2 * (1 + int(extreme)) / (1 + len(samples)))
  return Difference(mean, float(low.min()), float(high.max()), p)


def _moved_by_xla(one: Group, other: Group) -> float:
  """Returns the points that a difference gains by other XLA settings."""
  gains = [
    {row.seed: row.other_xla for row in some.rows if row.other_xla is not None}
    for some in (one, other)
  ]
  common = gains[0].keys() & gains[1].keys()
  if not common:
    return 0.0
  return float(np.mean([gains[0][seed] - gains[1][seed] for seed in common]))


def first_to_reach(
  students: Sequence[Group], bar: Group | float
) -> tuple[int, int, int]:
  """Returns the place of the first student that is as good as `bar`.

  Nothing is interpolated between students.

  Args:
    students: In order, such as from the smallest share of the data.
    bar: A student, or a teacher's accuracy.

  Returns:
    The index, and the ends of its 95% interval. An index equal to the number of
    students means that none reaches `bar`.
  """
  level = bar.mean if isinstance(bar, Group) else bar
  means = np.array([[one.mean for one in students]])
  place = int(_first_as_good(means, np.array([level]))[0])
  if isinstance(bar, Group):
    samples = resample([*students, bar])
    levels, samples = samples[:, -1], samples[:, :-1]
  else:
    samples = resample(students)
    levels = np.full(len(samples), bar)
  if not len(samples):
    return place, 0, len(students)
  drawn = _first_as_good(samples, levels)
  low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
  return place, int(low), int(high)


def _first_as_good(means: np.ndarray, levels: np.ndarray) -> np.ndarray:
  """Returns the first column of each row that reaches the row's level."""
  reached = means >= levels[:, None]
  return np.where(reached.any(1), reached.argmax(1), means.shape[1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equivalence:
  """The smallest student, by share of the data or by size, that suffices.

  Attributes:
    student: A row of the first student that was compared.
    bar: The student or teacher to reach, in words.
    choices: Shares or models, the smallest first.
    found: The smallest choice that reaches the bar; NONE if none does.
    low: Lower end of the 95% interval.
    high: Upper end.
    level: The accuracy to reach, 0 to 100.
    seeds: The smallest number of seeds of a student.
  """

  student: Result
  bar: str
  choices: tuple[str, ...]
  found: str
  low: str
  high: str
  level: float
  seeds: int


def at_home(rows: Sequence[Result]) -> list[Group]:
  """Returns the students on the test split of their own family."""
  return group([row for row in rows if row.evaluated == row.task])


def reference(one: Group, students: Sequence[Group]) -> Group | None:
  """Returns the student that another one is compared with.

  At equal examples it is the first of `students` on the same task, model and
  number of examples. At an equal budget it is the one whose budget that is.
  """
  first = one.first
  alike = [
    other
    for other in students
    if other.first.comparison == EQUAL_EXAMPLES
    and (other.first.task, other.first.model, other.first.train_examples)
    == (first.task, first.model, first.train_examples)
  ]
  if first.comparison != EQUAL_EXAMPLES:
    alike = [other for other in alike if other.first.method == first.budget_of]
    return max(alike, key=lambda other: other.coverage, default=None)
  return next(iter(alike), None)


def shares(rows: Sequence[Result], baseline: str) -> list[Equivalence]:
  """Returns the share at which each method reaches a baseline on all data."""
  whole = {
    (one.first.task, one.first.model): one
    for one in sorted(at_home(rows), key=_fraction)
    if (one.first.method, one.first.comparison) == (baseline, EQUAL_EXAMPLES)
  }
  found = []
  for members in _alike(rows, "task", "model", "method", "teacher"):
    first = members[0].first
    bar = whole.get((first.task, first.model))
    if first.method != baseline and bar and len(members) > 1:
      members.sort(key=_fraction)
      says = f"{baseline} on {bar.first.fraction:.0%} of the data, {bar}"
      names = [f"{one.first.fraction:.1%}" for one in members]
      found.append(_smallest(members, bar, says, names))
  return found


def passing(results: Results) -> list[Equivalence]:
  """Returns the smallest student of each method that passes its teacher."""
  found = []
  for members in _alike(results.rows, "task", "method", "teacher"):
    first = members[0].first
    level = teacher_accuracy(results, first.task, first.teacher)
    most = max(map(_fraction, members))
    students = [one for one in members if _fraction(one) == most]
    if level is not None:
      students.sort(key=lambda one: one.first.student.get("parameters", 0))
      says = f"the teacher {first.teacher}, {level:.1f}"
      names = [one.first.model for one in students]
      found.append(_smallest(students, level, says, names))
  return found


def teacher_accuracy(results: Results, task: str, teacher: str) -> float | None:
  """Returns a teacher's accuracy, on the test split if that was asked."""
  known = {
    row.split: row.accuracy
    for row in results.teachers
    if (row.task, row.name) == (task, teacher)
  }
  return known.get("test", known.get("train"))


def _smallest(
  members: Sequence[Group], bar: Group | float, says: str, names: list[str]
) -> Equivalence:
  places = first_to_reach(members, bar)
  found, low, high = ([*names, NONE][place] for place in places)
  level = bar.mean if isinstance(bar, Group) else bar
  seeds = min(len(one.rows) for one in members)
  return Equivalence(
    student=members[0].first,
    bar=says,
    choices=tuple(names),
    found=found,
    low=low,
    high=high,
    level=level,
    seeds=seeds,
  )


def _alike(rows: Sequence[Result], *fields: str) -> list[list[Group]]:
  """Returns students on equal examples at full coverage, by some fields."""
  found: dict[tuple, list[Group]] = {}
  wanted = 1.0, EQUAL_EXAMPLES
  for one in at_home(
    [row for row in rows if (row.coverage, row.comparison) == wanted]
  ):
    key = tuple(getattr(one.first, field) for field in fields)
    found.setdefault(key, []).append(one)
  return list(found.values())


def _fraction(one: Group) -> float:
  return one.first.fraction
