"""The figure of a comparison, as in the papers."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from distill.comparison import statistics
from distill.comparison.results import Results
from distill.comparison.statistics import Group

_MAJORITY = "most frequent answer"
_COVERED = "share of them with rationales"
# The axes: accuracy is drawn against each that has several values in a grid.
_AXES: dict[str, Callable[[Group], float]] = {
  "share of the training examples": lambda one: one.first.fraction,
  _COVERED: lambda one: one.first.coverage,
  "parameters": lambda one: one.first.student.get("parameters", 0),
}


def draw(results: Results, path: pathlib.Path) -> None:
  """Draws accuracy against each axis that the grid varies, or bars.

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
  figure, panels = pyplot.subplots(
    *(len(rows), len(tasks)),
    figsize=(7 * len(tasks), height * len(rows)),
    squeeze=False,
  )
  for panel_row, axis in zip(panels, rows, strict=True):
    for panel, task in zip(panel_row, tasks, strict=True):
      members = [one for one in groups if one.first.task == task]
      panel.set_title(task)
      if axis:
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
  largest = {
    name: max(map(_AXES[name], groups)) for name in axes if name != axis
  }
  lines: dict[str, list[Group]] = {}
  for one in groups:
    if all(_AXES[name](one) == value for name, value in largest.items()):
      name = " ".join(filter(None, (one.first.method, one.first.teacher)))
      lines.setdefault(name, []).append(one)
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
  if axis == "parameters":
    panel.set_xscale("log")
  panel.set_xlabel(axis)
  panel.set_ylabel("test accuracy (%)")


def _levels(panel: Any, results: Results, groups: Sequence[Group]) -> None:
  """Draws the accuracy of the teachers and of the most frequent answer."""
  names = {one.first.teacher for one in groups} - {""}
  for name in sorted(names):
    level = statistics.teacher_accuracy(results, groups[0].first.task, name)
    if level is not None:
      panel.axhline(level, ls="--", color="gray", label=f"{name}, the teacher")
  if level := groups[0].first.majority:
    panel.axhline(level, ls=":", color="gray", label=_MAJORITY)


def _bars(panel: Any, groups: Sequence[Group]) -> None:
  """Draws the methods of one task, the first on top; each seed is a dot."""
  for place, one in enumerate(groups):
    panel.barh(
      place,
      one.mean,
      height=0.6,
      color=f"C{place}",
      alpha=0.6,
      xerr=one.standard_error,
      capsize=4,
    )
    values = [row.accuracy for row in one.rows]
    panel.plot(values, [place] * len(values), "o", color="black", ms=3)
    panel.annotate(
      f"  {one.mean:.1f}", (100, place), va="center", annotation_clip=False
    )
  panel.set_yticks(range(len(groups)), [one.first.method for one in groups])
  panel.invert_yaxis()
  if level := groups[0].first.majority:
    panel.axvline(level, ls=":", color="gray", label=_MAJORITY)
    panel.legend(fontsize="small")
  panel.set_xlim(0, 100)
  panel.set_xlabel("test accuracy (%)")
