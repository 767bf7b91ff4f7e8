"""The figure of a comparison, as in the papers."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from distill.comparison import statistics
from distill.comparison.results import Results
from distill.comparison.statistics import Group

_MAJORITY = "most frequent answer"
_SIZE = "parameters"
_STEPS = "training steps"
_COVERED = "share of them with rationales"
# The axes: accuracy is drawn against each that has several values in a grid.
_AXES: dict[str, Callable[[Group], float]] = {
  "share of the training examples": lambda one: one.first.fraction,
  _COVERED: lambda one: one.first.coverage,
  _SIZE: lambda one: one.first.student.get("parameters", 0),
}


def draw(results: Results, path: pathlib.Path) -> None:
  """Draws accuracy against each axis that the grid varies, or bars.

  Below, the validation accuracy is drawn against the steps if it is recorded. A
  line joins students of one comparison only.

  Each column is a task. Error bars are standard errors over the seeds. The
  dashed line is the teacher, the dotted line the most frequent answer of the
  test split.

  Args:
    results: The results.
    path: The file, whose suffix sets the format.
  """
  import matplotlib

  matplotlib.use("Agg")
  from matplotlib import pyplot

  groups = statistics.at_home(results.rows)
  tasks = list(dict.fromkeys(one.first.task for one in groups))
  known = [one for one in groups if one.first.student] or groups
  axes = [name for name, of in _AXES.items() if len(set(map(of, known))) > 1]
  rows = axes or [""]
  height = 4.0 if axes else 1.2 + 0.45 * len(groups) / len(tasks)
  if any(len(row.curve) > 1 for one in groups for row in one.rows):
    rows = [*rows, _STEPS]
    height = 4.0
  figure, panels = pyplot.subplots(
    *(len(rows), len(tasks)),
    figsize=(7 * len(tasks), height * len(rows)),
    squeeze=False,
  )
  for panel_row, axis in zip(panels, rows, strict=True):
    for panel, task in zip(panel_row, tasks, strict=True):
      members = [one for one in groups if one.first.task == task]
      panel.set_title(task)
      if axis == _STEPS:
        _curves(panel, members, axes)
      elif axis:
        _lines(panel, members, axis, axes)
        _levels(panel, results, members)
        panel.legend(fontsize="small")
      else:
        panel.set_title(f"{task}, {members[0].first.train_examples:,} examples")
        _bars(panel, members)
  figure.tight_layout()
  figure.savefig(path, dpi=130)
  pyplot.close(figure)


def _lines(
  panel: Any, groups: Sequence[Group], axis: str, axes: Sequence[str]
) -> None:
  """Draws a line for each student along an axis, at the others' largest."""
  lines: dict[str, list[Group]] = {}
  for one in _at_largest(groups, [name for name in axes if name != axis]):
    lines.setdefault(_name(one, axes), []).append(one)
  of = _AXES[axis]
  for name, members in lines.items():
    members.sort(key=of)
    panel.errorbar(
      [one.coverage if axis == _COVERED else of(one) for one in members],
      [one.mean for one in members],
      yerr=[one.standard_error or 0.0 for one in members],
      marker="o",
      capsize=3,
      label=name,
    )
  if axis == _SIZE:
    panel.set_xscale("log")
  panel.set_xlabel(axis)
  panel.set_ylabel("test accuracy (%)")


def _at_largest(groups: Sequence[Group], axes: Sequence[str]) -> list[Group]:
  """Returns the students with the largest value on each axis."""
  largest = {name: max(map(_AXES[name], groups)) for name in axes}
  return [
    one
    for one in groups
    if all(_AXES[name](one) == value for name, value in largest.items())
  ]


def _curves(panel: Any, groups: Sequence[Group], axes: Sequence[str]) -> None:
  """Draws validation accuracy against steps: mean and range over the seeds."""
  for one in _at_largest(groups, axes):
    steps, accuracies = steps_and_accuracies(one)
    if steps:
      panel.plot(steps, accuracies.mean(0), marker=".", label=_name(one, axes))
      panel.fill_between(steps, accuracies.min(0), accuracies.max(0), alpha=0.2)
  panel.legend(fontsize="small")
  panel.set_xlabel(_STEPS)
  panel.set_ylabel("validation accuracy (%)")


def steps_and_accuracies(one: Group) -> tuple[list[float], np.ndarray]:
  """Returns the steps of evaluations, and the accuracies [seeds, steps].

  A seed that PATIENCE ended keeps its last accuracy. The steps start where all
  seeds were evaluated.
  """
  curves = [row.curve for row in one.rows if row.curve]
  first = max((curve[0][0] for curve in curves), default=0)
  steps = sorted({s for curve in curves for s, _ in curve if s >= first})
  values = [
    [[value for s, value in curve if s <= step][-1] for step in steps]
    for curve in curves
  ]
  return steps, np.array(values)


def _name(one: Group, axes: Sequence[str]) -> str:
  """Returns a line's name, with the model unless the line joins models."""
  first = one.first
  model = "" if _SIZE in axes else first.model
  return " ".join(filter(None, (first.label, first.teacher, model)))


def _levels(panel: Any, results: Results, groups: Sequence[Group]) -> None:
  """Draws the accuracy of the teachers and of the most frequent answer."""
  names = {one.first.teacher for one in groups} - {""}
  for name in sorted(names):
    level = statistics.teacher_accuracy(results, groups[0].first.task, name)
    if level is not None:
      panel.axhline(level, ls="--", color="gray", label=f"{name}, the teacher")
  if level := groups[0].first.majority:
    panel.axhline(level, ls=":", color="gray", label=_MAJORITY)


def bar_names(groups: Sequence[Group]) -> list[str]:
  """Returns a name for each student: the method, and what else they differ in.

  The teacher and the model are named where the students have several.
  """
  varied = [
    of
    for of in (lambda row: row.teacher, lambda row: row.model)
    if len({of(one.first) for one in groups} - {""}) > 1
  ]
  return [
    " ".join(filter(None, (one.first.label, *(of(one.first) for of in varied))))
    for one in groups
  ]


def _bars(panel: Any, groups: Sequence[Group]) -> None:
  """Draws the methods of one task, the first on top; each seed is a dot."""
  from matplotlib import rcParams

  ink = rcParams["text.color"]
  for place, one in enumerate(groups):
    panel.barh(
      place,
      one.mean,
      height=0.6,
      color=f"C{place}",
      alpha=0.6,
      xerr=one.standard_error,
      ecolor=ink,
      capsize=4,
    )
    values = [row.accuracy for row in one.rows]
    panel.plot(values, [place] * len(values), "o", color=ink, ms=3)
    panel.annotate(
      f"  {one.mean:.1f}", (100, place), va="center", annotation_clip=False
    )
  panel.set_yticks(range(len(groups)), bar_names(groups))
  panel.invert_yaxis()
  if level := groups[0].first.majority:
    panel.axvline(level, ls=":", color="gray", label=_MAJORITY)
    panel.legend(fontsize="small")
  panel.set_xlim(0, 100)
  panel.set_xlabel("test accuracy (%)")
