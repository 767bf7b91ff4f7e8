"""Prints docs/claims.md: the papers' claims, and what our results say."""

import dataclasses
import math
import pathlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill.comparison import results, statistics, tables
from distill.comparison.results import Result, Results
from distill.comparison.statistics import Group

TABLE = pathlib.Path(__file__).parent / "claims.toml"
RESULTS = TABLE.parents[1] / "docs" / "results"
HOLDS, FAILS, OPEN = "Holds", "Does not hold", "Cannot be told"
_INTRODUCTION = """\
# The papers' claims, tested here

`python scripts/claims.py` writes this page from the result files in
[docs/results](results). A test fails if the page and the files differ.

- Figures are test accuracies in percent, mean ± standard error over the seeds.
  Intervals are 95% intervals of a bootstrap over seeds and test examples,
  paired.
- A *difference* holds if its whole interval is above the bar, and does not hold
  if the whole interval is below. Otherwise it cannot be told. The bar is 0 if
  none is named. If the results of single examples were not kept, only seeds are
  drawn, which is rough, and one seed has no interval.
- "Step-by-step needs less data" is tested by the smallest share of the data
  that suffices. It holds if even the upper end of the interval is less than all
  of the data. It does not hold if the lower end is already all of the data, or
  if no share suffices.
- "A small student passes its teacher" is tested by the smallest student that
  suffices. It holds if the upper end of the interval is a student. It does not
  hold if even at the lower end no student suffices.
- Only shares and students that were run are considered. Nothing is
  interpolated.
- One seed cannot decide a claim. Neither can a comparison in which the task is
  not learned: the better student, or the one that sets the bar, is less than
  ten points above always giving the most frequent answer of the test split.
- [methods.md](methods.md) defines the methods and the comparisons.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
  """A row of claims.toml.

  Attributes:
    claim: What the paper says, in our words.
    paper: Which one.
    grids: The grids that test it.
    rule: 'difference', 'share' or 'teacher'.
    one: Fields of the rows of the student that is to be better.
    other: Of the student that it is compared with.
    bar: What the difference must exceed, in points.
    why: Why nothing here can test it.
  """

  claim: str
  paper: str
  grids: Sequence[str] = ()
  rule: str = ""
  one: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  other: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  bar: float = 0.0
  why: str = ""


def page(folder: pathlib.Path = RESULTS, table: pathlib.Path = TABLE) -> str:
  """Returns docs/claims.md by the result files of a folder."""
  overview, sections = [], []
  for row in tomllib.loads(table.read_text("utf-8"))["claim"]:
    claim = Claim(**row)
    sections.append(f"## {claim.claim.rstrip('.')}\n\n*{claim.paper}*\n")
    for sentence, verdict, grid in _judge(claim, folder):
      overview.append([claim.claim, grid, verdict])
      source = ""
      if grid:
        source = f" [All results](results/{grid}.md):"
        source += f" `distill compare --gin_file=grids/{grid}.gin`"
      sections.append(f"- **{verdict}**: {sentence}{source}\n")
  header = ["claim", "grid", "verdict"]
  return "\n".join(
    [_INTRODUCTION, tables.markdown(header, overview), "", *sections]
  )


def _judge(
  claim: Claim, folder: pathlib.Path
) -> Iterator[tuple[str, str, str]]:
  """Yields what was found, what follows, and the grid, for each dataset."""
  rules = {"difference": _differences, "share": _smallest, "teacher": _smallest}
  if claim.why:
    yield f"{claim.why}.", "Cannot be tested here", ""
    return
  paths = {grid: folder / f"{grid}.json" for grid in claim.grids}
  run = {grid: path for grid, path in paths.items() if path.exists()}
  for grid, path in run.items():
    for text, verdict in rules[claim.rule](claim, results.read_results(path)):
      yield text, verdict, grid
  if not run:
    yield "the grid was not run yet.", OPEN, claim.grids[0]


def _differences(claim: Claim, found: Results) -> list[tuple[str, str]]:
  def place(one: Group) -> tuple[str, str]:
    model = "" if "model" in claim.other else one.first.model
    return one.first.task, model

  others = {place(one): one for one in _select(found, claim.other)}
  lines = []
  for one in _select(found, claim.one):
    other = others.get(place(one))
    seeds = {row.seed for row in one.rows}
    seeds &= {row.seed for row in other.rows} if other else set()
    if not other or not seeds:
      continue
    one, other = (
      Group(tuple(row for row in some.rows if row.seed in seeds))
      for some in (one, other)
    )
    step = statistics.difference(one, other)
    best = max(one.mean, other.mean)
    why = _untold(len(seeds), best, one.first)
    verdict = HOLDS if step.low > claim.bar else OPEN
    verdict = FAILS if step.high < claim.bar else verdict
    text = _difference(claim, one, other, step) + why
    lines.append((text, OPEN if why else verdict))
  return lines


def _difference(
  claim: Claim, one: Group, other: Group, step: statistics.Difference
) -> str:
  """Returns a difference as a sentence."""
  first = one.first
  text = (
    f"with {first.train_examples} examples of {first.task},"
    f" {_student(one, claim.one)} has {one} and {_student(other, claim.other)}"
    f" {other}, a difference of {step.mean:+.1f} points"
  )
  if not math.isnan(step.low):
    text += f" (95% interval {step.low:+.1f} to {step.high:+.1f})"
  if claim.bar:
    text += f", where the bar is {claim.bar:+g}"
  seeds = len(one.rows)
  return f"{text}; {seeds} seed{'s' if seeds > 1 else ''}."


def _student(one: Group, chosen: Mapping[str, Any]) -> str:
  """Returns a student by its method and by what the claim chooses it for."""
  kinds = {
    "model": lambda value: f"of the model {value}",
    "teacher": lambda value: f"with the rationales of {value}",
    "coverage": lambda value: f"with rationales for {value:.0%}",
    "comparison": lambda value: f"at {value.replace('_', ' ')}",
  }
  named = [say(chosen[key]) for key, say in kinds.items() if key in chosen]
  return " ".join([f"`{one.first.method}`", *named])


def _select(found: Results, fields: Mapping[str, Any]) -> list[Group]:
  """Returns the students with these fields, at full coverage and data.

  Unless `comparison` is named, they are those of equal examples.
  """
  wanted = {"coverage": 1.0, "comparison": results.EQUAL_EXAMPLES, **fields}
  groups = [
    one
    for one in statistics.at_home(found.rows)
    if all(getattr(one.first, name) == wanted[name] for name in wanted)
  ]
  most = max((one.first.fraction for one in groups), default=0.0)
  return [one for one in groups if one.first.fraction == most]


def _smallest(claim: Claim, found: Results) -> list[tuple[str, str]]:
  share = claim.rule == "share"
  rows = (
    statistics.shares(found.rows, claim.other["method"])
    if share
    else statistics.passing(found)
  )
  lines = []
  for one in rows:
    if one.student.method == claim.one["method"]:
      # All of the data is no less data.
      late = {statistics.NONE, *(one.choices[-1:] if share else ())}
      verdict = HOLDS if one.high not in late else OPEN
      verdict = FAILS if one.low in late else verdict
      why = _untold(one.seeds, one.level, one.student)
      kind = "share of the data" if share else "student"
      text = (
        f"on {one.student.task}, the smallest {kind} with which"
        f" `{one.student.method}` reaches {one.bar} is {one.found}"
        f" (95% interval {one.low} to {one.high}); {one.seeds}"
        f" seed{'s' if one.seeds > 1 else ''}."
      )
      lines.append((text + why, OPEN if why else verdict))
  return lines


def _untold(seeds: int, accuracy: float, row: Result) -> str:
  """Returns why an accuracy in a row's test tells nothing, '' if it does."""
  if seeds < 2:
    return " One seed decides nothing."
  if accuracy < row.majority + results.LEARNED_POINTS:
    return " The task is not learned."
  return ""


if __name__ == "__main__":
  print(page(), end="")
