"""Results of several methods side by side: rows and a table."""

import dataclasses
import json
import math
import os
import statistics
from collections.abc import Sequence
from typing import Any

from distill import errors


@dataclasses.dataclass(frozen=True)
class Result:
  """One trained and tested student: a row of `results.json`.

  Attributes:
    task: Dataset family.
    method: How the student was trained.
    train_examples: Labelled examples that it was trained on.
    seed: Seed of the weights, the dropout and the order of the data.
    metric: Name of the test metric.
    value: The metric on the test split, 0 to 100.
    steps: Training steps.
    tokens: Target tokens processed in training, without padding.
    cpu_seconds: CPU time of training and testing, all cores.
  """

  task: str
  method: str
  train_examples: int
  seed: int
  metric: str
  value: float
  steps: int
  tokens: int
  cpu_seconds: float


@dataclasses.dataclass(frozen=True)
class Summary:
  """The seeds of one (task, method), put together."""

  task: str
  method: str
  rows: tuple[Result, ...]

  @property
  def mean(self) -> float:
    """Mean of the metric over the seeds."""
    return statistics.fmean(row.value for row in self.rows)

  @property
  def standard_error(self) -> float | None:
    """Standard error of the mean; None with a single seed."""
    if len(self.rows) < 2:
      return None
    spread = statistics.stdev(row.value for row in self.rows)
    return spread / math.sqrt(len(self.rows))


def summarize(rows: Sequence[Result]) -> list[Summary]:
  """Returns one summary for each (task, method), in order of appearance."""
  groups: dict[tuple[str, str], list[Result]] = {}
  for row in rows:
    groups.setdefault((row.task, row.method), []).append(row)
  return [Summary(*key, tuple(members)) for key, members in groups.items()]


def format_table(rows: Sequence[Result]) -> str:
  """Returns the results as a Markdown table, one line a task and method."""
  header = [
    "task",
    "method",
    "train examples",
    "test metric",
    "mean",
    "seeds",
    "steps",
    "target tokens",
    "CPU s",
  ]
  lines = []
  for summary in summarize(rows):
    first = summary.rows[0]
    error = summary.standard_error
    seeds = ", ".join(f"{row.value:.1f}" for row in summary.rows)
    lines.append(
      [
        summary.task,
        summary.method,
        f"{first.train_examples:,}",
        first.metric,
        f"{summary.mean:.1f}" + ("" if error is None else f" ± {error:.1f}"),
        seeds,
        f"{first.steps:,}",
        f"{statistics.fmean(row.tokens for row in summary.rows):,.0f}",
        f"{statistics.fmean(row.cpu_seconds for row in summary.rows):.0f}",
      ]
    )
  return _markdown(header, lines)


def _markdown(header: list[str], lines: list[list[str]]) -> str:
  widths = [
    max(len(row[i]) for row in [header, *lines]) for i in range(len(header))
  ]

  def render(cells: list[str]) -> str:
    padded = (
      cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
    )
    return "| " + " | ".join(padded) + " |"

  rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
  return "\n".join([render(header), rule, *map(render, lines)])


def write_results(rows: Sequence[Result], path: str) -> None:
  """Writes the rows to `path` as a JSON list, whole or not at all."""
  partial = f"{path}.partial"
  with open(partial, "w", encoding="utf-8") as file:
    json.dump([dataclasses.asdict(row) for row in rows], file, indent=2)
    file.write("\n")
  os.replace(partial, path)


def read_results(path: str) -> list[Result]:
  """Reads what `write_results` wrote.

  Raises:
    UserError: `path` is not a list of result rows.
  """
  try:
    with open(path, encoding="utf-8") as file:
      rows: Any = json.load(file)
    return [Result(**row) for row in rows]
  except (OSError, ValueError, TypeError) as error:
    raise errors.UserError(
      f"{path} is not a file of results.",
      expected="a JSON list of rows as the demo writes it",
      found=str(error),
      remedy="remove it and run the demo again",
    ) from error
