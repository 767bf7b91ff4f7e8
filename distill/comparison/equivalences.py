"""The papers' two equivalences: less data as good, a small student as good."""

import dataclasses
from collections.abc import Sequence

from distill.comparison import statistics
from distill.comparison.results import Result, Results
from distill.comparison.statistics import Group

NONE = "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Equivalence:
  """The smallest student, by its share of the data or its size, that is enough.

  Attributes:
    student: The first of those to choose from.
    bar: What it has to reach, in words.
    choices: Shares or models, the smallest first.
    found: The smallest that reaches it, NONE if none does.
    low: Lower end of the 95% interval.
    high: Upper end.
    level: The accuracy that it has to reach, 0 to 100.
    seeds: Of the student that has the fewest.
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
  """Returns the students on the test split of the family that they learnt."""
  return statistics.group([row for row in rows if row.evaluated == row.task])


def shares(rows: Sequence[Result], baseline: str) -> list[Equivalence]:
  """Returns the share at which each method reaches a baseline on all data."""
  whole = {
    (one.first.task, one.first.model): one
    for one in sorted(at_home(rows), key=_fraction)
    if one.first.method == baseline
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
  """Returns a teacher's accuracy: on the test split if it was asked that."""
  known = {
    row.split: row.accuracy
    for row in results.teachers
    if (row.task, row.name) == (task, teacher)
  }
  return known.get("test", known.get("train"))


def _smallest(
  members: Sequence[Group], bar: Group | float, says: str, names: list[str]
) -> Equivalence:
  places = statistics.first_to_reach(members, bar)
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
  """Returns students at full coverage in lists of the same fields."""
  found: dict[tuple, list[Group]] = {}
  for one in at_home([row for row in rows if row.coverage == 1]):
    key = tuple(getattr(one.first, field) for field in fields)
    found.setdefault(key, []).append(one)
  return list(found.values())


def _fraction(one: Group) -> float:
  return one.first.fraction
