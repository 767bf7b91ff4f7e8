"""The answers of a comparison, in sentences and in one narrow table."""

from collections.abc import Sequence

from distill.comparison import statistics
from distill.comparison.results import EQUAL_EXAMPLES, Results
from distill.comparison.statistics import Group, at_home

# What tells students of one task and number of examples apart, if it varies.
_NAMED = ("model", "teacher", "protocol")


def sentences(results: Results) -> list[str]:
  """Returns who is ahead of whom, and whether the seeds can tell.

  A student is compared with `statistics.reference`, and the best one with the
  second. It is ahead or behind if the 95% interval has no zero and there are
  two seeds at least.
  """
  students = at_home(results.rows)
  found = []
  for members in _settings(students):
    found.append(_best(members))
    found += _second(members)
  for one in students:
    base = statistics.reference(one, students)
    if base is not None and base is not one:
      found.append(_sentence(one, base, students))
  return found


def _settings(students: Sequence[Group]) -> list[list[Group]]:
  """Returns the students of each task, in the order of the tasks."""
  tasks = dict.fromkeys(one.first.task for one in students)
  return [[s for s in students if s.first.task == task] for task in tasks]


def _best(members: Sequence[Group]) -> str:
  best = max(members, key=lambda one: one.mean)
  first = best.first
  learned = any(row.learned for one in members for row in one.rows)
  if not learned and first.majority:
    return (
      f"{first.task}: no student has learned it; none is ten points above the"
      f" most frequent answer, {first.majority:.1f}."
    )
  return (
    f"{first.task}: the best mean test accuracy is {best}, of"
    f" {name(best, members)} with {first.train_examples:,} examples"
    f" ({_seeds(len(best.rows))})."
  )


def _second(members: Sequence[Group]) -> list[str]:
  """Returns the best student against the second, unless another line has it."""
  best = max(members, key=lambda one: one.mean)
  rivals = [
    other
    for other in members
    if other is not best and _setting(other) == _setting(best)
  ]
  if not rivals:
    return []
  second = max(rivals, key=lambda one: one.mean)
  references = [statistics.reference(one, members) for one in (best, second)]
  if second is references[0] or best is references[1]:
    return []
  return [_sentence(best, second, members)]


def _setting(one: Group) -> tuple[object, ...]:
  first = one.first
  return first.model, first.train_examples, first.comparison


def _sentence(one: Group, base: Group, students: Sequence[Group]) -> str:
  found = statistics.difference(one, base)
  common = {r.seed for r in one.rows} & {r.seed for r in base.rows}
  where = f"{one.first.task}, {one.first.train_examples:,} examples"
  ours, theirs = name(one, students), name(base, students)
  seeds = _seeds(len(common))
  if len(common) < 2:
    return (
      f"{where}: one seed cannot tell {ours} from {theirs}"
      f" ({found.mean:+.1f} points)."
    )
  interval = f"95% interval {found.low:+.1f} to {found.high:+.1f}, {seeds}"
  if found.low > 0 or found.high < 0:
    side = "ahead of" if found.low > 0 else "behind"
    return (
      f"{where}: {ours} is {side} {theirs} by {abs(found.mean):.1f} points"
      f" ({interval})."
    )
  return (
    f"{where}: it cannot be told whether {ours} is better than {theirs}:"
    f" {found.mean:+.1f} points ({interval})."
  )


def _seeds(count: int) -> str:
  return "one seed" if count == 1 else f"{count} seeds"


def name(one: Group, students: Sequence[Group]) -> str:
  """Returns a student's name among others: its method, and what varies."""
  first = one.first
  budget = "" if first.comparison == EQUAL_EXAMPLES else first.comparison
  varies = [budget.replace("_", " ")] + [
    str(getattr(first, field))
    for field in _NAMED
    if len({getattr(s.first, field) for s in students} - {""}) > 1
  ]
  if len({s.coverage for s in students if s.first.teacher}) > 1:
    varies += [f"{one.coverage:.0%} coverage"] if first.teacher else []
  named = ", ".join(filter(None, varies))
  return f"{first.method} ({named})" if named else first.method


def narrow_table(results: Results) -> tuple[list[str], list[list[str]]]:
  """Returns the header and lines of a table that fits a terminal.

  A line is a student: its examples, its mean accuracy with the standard error,
  and the paired difference from the student that it is compared with.
  """
  students = at_home(results.rows)
  several = len(_settings(students)) > 1
  lines = []
  for one in students:
    base = statistics.reference(one, students)
    apart = base is not None and base is not one
    lines.append(
      [
        *([one.first.task] if several else []),
        name(one, students),
        f"{one.first.train_examples:,}",
        str(one),
        str(len(one.rows)),
        str(statistics.difference(one, base)) if base and apart else "",
      ]
    )
  header = ["method", "examples", "accuracy", "seeds", "difference [95%]"]
  return (["task", *header] if several else header), lines
