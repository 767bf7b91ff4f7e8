"""The papers' two equivalences: less data as good, a small student as good."""

import dataclasses
from collections.abc import Iterable, Sequence

from distill.comparison import statistics
from distill.comparison.results import Result, Results
from distill.comparison.statistics import Group

NONE = "none"


@dataclasses.dataclass(frozen=True)
class Equivalence:
  """The smallest student, by data or by size, that reaches a bar.

  Attributes:
    task: Dataset family.
    method: The student's method.
    what: 'share of the data' or 'model'.
    bar: What it has to reach, in words.
    choices: What there is to choose from, the smallest first.
    found: The smallest, NONE if none does.
    low: Lower end of the 95% interval.
    high: Upper end.
  """

  task: str
  method: str
  what: str
  bar: str
  choices: tuple[str, ...]
  found: str
  low: str
  high: str


def at_home(rows: Sequence[Result]) -> list[Group]:
  """Returns the students on the test split of the family that they learnt."""
  return statistics.group([row for row in rows if row.evaluated == row.task])


def shares(rows: Sequence[Result], baseline: str) -> list[Equivalence]:
  """Returns the share at which each method reaches a baseline on all data."""
  groups = [one for one in at_home(rows) if one.first.coverage == 1]
  found = []
  for members in _alike(groups, "task", "model", "method", "teacher"):
    first = members[0].first
    bars = [
      one
      for one in groups
      if one.first.method == baseline
      and (one.first.task, one.first.model) == (first.task, first.model)
    ]
    if first.method == baseline or len(members) < 2 or not bars:
      continue
    bar = max(bars, key=lambda one: one.first.fraction)
    members.sort(key=lambda one: one.first.fraction)
    names = [f"{one.first.fraction:.1%}" for one in members]
    says = f"{baseline} on {bar.first.fraction:.0%} of it, {bar}"
    found.append(_smallest(members, bar, "share of the data", says, names))
  return found


def passing(results: Results) -> list[Equivalence]:
  """Returns the smallest student of each method that passes its teacher."""
  groups = [one for one in at_home(results.rows) if one.first.coverage == 1]
  found = []
  for members in _alike(groups, "task", "method", "teacher"):
    first = members[0].first
    level = teacher_accuracy(results, first.task, first.teacher)
    most = max(one.first.fraction for one in members)
    students = [one for one in members if one.first.fraction == most]
    if level is None:
      continue
    students.sort(key=lambda one: one.first.student.get("parameters", 0))
    names = [one.first.model for one in students]
    says = f"{first.teacher}, {level:.1f}"
    found.append(_smallest(students, level, "model", says, names))
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
  members: Sequence[Group],
  bar: Group | float,
  what: str,
  says: str,
  names: list[str],
) -> Equivalence:
  first = members[0].first
  places = statistics.first_to_reach(members, bar)
  ends = ([*names, NONE][place] for place in places)
  return Equivalence(first.task, first.method, what, says, tuple(names), *ends)


def _alike(groups: Iterable[Group], *fields: str) -> list[list[Group]]:
  """Returns the groups in lists of those that have the same fields."""
  found: dict[tuple, list[Group]] = {}
  for one in groups:
    key = tuple(getattr(one.first, field) for field in fields)
    found.setdefault(key, []).append(one)
  return list(found.values())
