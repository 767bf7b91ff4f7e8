"""The tables of a comparison in Markdown."""

import math
from collections.abc import Sequence

from distill.comparison import economics, statistics
from distill.comparison.grid import OPTIMISTIC
from distill.comparison.results import STUDENT_FIELDS, Result, Results
from distill.comparison.statistics import Group, at_home

_ONE_SEED = "The intervals of one seed are over the test examples alone."
# Columns of every table. Others are shown if a grid has several values.
_ALWAYS = ("task", "evaluated", "method", "train_examples", "fraction")


def report(results: Results) -> str:
  """Returns all tables that have at least one line, with headings."""
  parts = [f"# {results.grid}", f"`{results.command}`"]
  if any(row.protocol == OPTIMISTIC for row in results.rows):
    parts.append("**Optimistic: the test split chose the checkpoints.**")
  sections = {
    "": results_table(results.rows),
    "Differences": differences_table(results.rows),
    "Equivalences": equivalences_table(results),
    "Transfer": transfer_table(results.rows),
    "Economics": economics_table(results),
  }
  for title, text in sections.items():
    if text:
      parts += [f"## {title}", text] if title else [text]
    if not title:
      parts += _majorities(results.rows)
  return "\n\n".join(parts) + "\n"


def _majorities(rows: Sequence[Result]) -> list[str]:
  found = {row.evaluated: row.majority for row in rows if row.majority}
  if not found:
    return []
  levels = ", ".join(f"{name} {level:.1f}" for name, level in found.items())
  return [f"Accuracy of the test's most frequent answer: {levels}."]


def results_table(rows: Sequence[Result]) -> str:
  """Returns a line for each student."""
  groups = at_home(rows)
  shown = [
    name
    for name in STUDENT_FIELDS
    if name not in _ALWAYS
    and len({getattr(one.first, name) for one in groups} - {""}) > 1
  ]
  records = [_recorded(one.rows) for one in groups]
  more = [name for name in _recorded([]) if any(one[name] for one in records)]
  header = ["task", "method", *shown, "train examples", "test metric", "mean"]
  lines = [
    [
      *(
        str(getattr(one if name == "coverage" else one.first, name))
        for name in ("task", "method", *shown)
      ),
      f"{one.first.train_examples:,}",
      "accuracy",
      str(one),
      ", ".join(f"{row.accuracy:.1f}" for row in one.rows),
      *(recorded[name] for name in more),
      _mean([row.steps for row in one.rows], ",.0f"),
      _mean([row.target_tokens for row in one.rows], ",.0f"),
      _mean([row.cpu_seconds for row in one.rows], ".0f"),
    ]
    for one, recorded in zip(groups, records, strict=True)
  ]
  header += ["seeds", *more, "steps", "target tokens", "CPU s"]
  return markdown(header, lines)


def _recorded(rows: Sequence[Result]) -> dict[str, str]:
  """Returns the columns of what older rows do not have; '' if none has it."""
  known = [row for row in rows if row.steps_to_best is not None]
  gains = [row.other_xla for row in rows if row.other_xla is not None]
  counts = {
    "learned": sum(row.learned for row in known),
    "memorized": sum(bool(row.memorized) for row in known),
  }
  return {
    "best step": _mean([row.steps_to_best for row in known], ",.0f")
    if known
    else "",
    **{n: f"{c} of {len(known)}" if known else "" for n, c in counts.items()},
    "other XLA": ", ".join(f"{gain:+.1f}" for gain in gains),
  }


def differences_table(rows: Sequence[Result]) -> str:
  """Returns the difference of each student from the one it is compared with.

  That is `statistics.reference`; a column names the comparison if a grid has
  several.
  """
  lines: list[list[str]] = []
  students = at_home(rows)
  several = len({one.first.comparison for one in students}) > 1
  for one in students:
    first, base = one.first, statistics.reference(one, students)
    if base is None or base is one:
      continue
    found = statistics.difference(one, base)
    lines.append(
      [
        *(first.task, first.model, f"{first.train_examples:,}"),
        *([first.comparison] if several else []),
        *(first.method, first.teacher, f"{one.coverage:.0%}"),
        *(_subtrahend(base, one), str(found)),
        "" if math.isnan(found.p) else f"{found.p:.3f}",
      ]
    )
  header = ["task", "model", "train examples"]
  header += ["comparison"] if several else []
  header += ["method", "teacher", "coverage", "minus", "difference [95%]", "p"]
  table = markdown(header, lines)
  single = table and any(len(one.rows) < 2 for one in students)
  return table + (f"\n\n{_ONE_SEED}" if single else "")


def _subtrahend(base: Group, one: Group) -> str:
  """Returns the method of `base`, and how it differs if that is the same."""
  names = [base.first.method]
  if base.first.method == one.first.method:
    if base.first.teacher != one.first.teacher:
      names.append(base.first.teacher)
    if base.coverage != one.coverage:
      names.append(f"{base.coverage:.0%}")
  return ", ".join(names)


def equivalences_table(results: Results) -> str:
  """Returns the smallest shares and students that suffice."""
  baseline = results.rows[0].method
  found = statistics.shares(results.rows, baseline)
  found += statistics.passing(results)
  return markdown(
    [
      *("task", "method", "teacher"),
      *("smallest of", "that reaches", "found", "95% interval"),
    ],
    [
      [
        *(e.student.task, e.student.method, e.student.teacher),
        *(", ".join(e.choices), e.bar, e.found, f"{e.low} to {e.high}"),
      ]
      for e in found
    ],
  )


def transfer_table(rows: Sequence[Result]) -> str:
  """Returns each student on all tests; '' if each has only its own."""
  tested = list(dict.fromkeys(row.evaluated for row in rows))
  lines: dict[tuple[str, ...], dict[str, str]] = {}
  for one in statistics.group(rows):
    first = one.first
    key = first.task, first.label, first.model, f"{first.train_examples:,}"
    lines.setdefault(key, {})[first.evaluated] = str(one)
  if all(row.evaluated == row.task for row in rows):
    return ""
  return markdown(
    ["learnt", "method", "model", "train examples", *tested],
    [
      [*key, *(found.get(t, "") for t in tested)]
      for key, found in lines.items()
    ],
  )


def economics_table(results: Results) -> str:
  """Returns the costs of each student and of its teacher."""
  header, lines = [], []
  for one in at_home(results.rows):
    first = one.first
    if first.student and first.coverage == 1:
      costs = economics.balance(results, one)
      header = ["task", "method", "model", "train examples", *costs]
      lines.append(
        [
          *(first.task, first.label, first.model, f"{first.train_examples:,}"),
          *("unknown" if v is None else f"{v:,.4g}" for v in costs.values()),
        ]
      )
  return markdown(header, lines)


def _mean(values: Sequence[float | None], form: str) -> str:
  known = [value for value in values if value is not None]
  return format(sum(known) / len(known), form) if known else "unknown"


def markdown(header: list[str], lines: list[list[str]]) -> str:
  """Returns a table with aligned columns; '' without lines."""
  if not lines:
    return ""
  widths = [
    max(map(len, column)) for column in zip(header, *lines, strict=True)
  ]

  def render(cells: Sequence[str]) -> str:
    padded = (
      cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
    )
    return "| " + " | ".join(padded) + " |"

  rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
  return "\n".join([render(header), rule, *map(render, lines)])
