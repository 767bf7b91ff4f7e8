"""What the page says and tabulates of each grid, run, evaluation and cache."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from distill.comparison import economics, statistics, verdicts
from distill.comparison.results import Results
from distill.data import hygiene
from distill.data.cache import files, manifest
from distill.evaluation import classes
from distill.reporting.example_rows import Cache, Row
from distill.reporting.material import Evaluation, Run

# Of more answers near duplicates are not looked for.
_MOST_ANSWERS = 50_000
_LOGGED = ("loss", "accuracy", "tokens_per_second", "padding")


@dataclasses.dataclass(frozen=True)
class Table:
  """A table; the first column names its lines."""

  title: str
  header: Sequence[str]
  lines: Sequence[Sequence[str]]


def of_grid(results: Results) -> tuple[list[str], Table]:
  """Returns a comparison's sentences and its table of students."""
  header, lines = verdicts.narrow_table(results)
  return verdicts.sentences(results), Table("Students", header, lines)


def of_run(run: Run) -> Table:
  """Returns the last logged metrics of a run."""
  last = run.train[-1] if run.train else {}
  scores = run.validation[-1] if run.validation else {}
  lines = [
    ["step", f"{last.get('step', 0):,.0f} of {run.steps or 0:,}"],
    *(
      [name.replace("_", " "), f"{last[name]:,.4g}"]
      for name in _LOGGED
      if name in last
    ),
    *(
      [f"validation {n}", f"{v:,.4g}"] for n, v in scores.items() if n != "step"
    ),
  ]
  return Table(run.name, ["metric", "last value"], lines)


def of_cache(cache: Cache) -> tuple[list[str], list[Table]]:
  """Returns what a cache's splits hold, cost and lack."""
  sentences, tables = [], []
  for split, entry in cache.manifest.splits.items():
    name = f"{cache.manifest.family}, {split}"
    tables.append(_ledger(name, entry))
    report = _hygiene(cache, split, entry)
    sentences.append(_cache_sentence(name, entry, report))
    if report:
      text = hygiene.as_text({**report, "samples": []})
      lines = [[line[:20].strip(), line[20:]] for line in text.splitlines()]
      lines = [line for line in lines if line[1]]
      tables.append(Table(f"Quality of {name}", ["measure", "found"], lines))
  return sentences, tables


def _ledger(name: str, entry: manifest.SplitEntry) -> Table:
  header = ["teacher", "prompt", "answers", "read", "agree with the gold label"]
  header += ["prompt tokens", "completion tokens", "US dollars"]
  return Table(
    f"Teachers of {name}",
    header,
    [
      [
        *(row.teacher, row.prompt, f"{row.answers:,}", f"{row.parsed:,}"),
        *(f"{row.agreeing:,}", f"{row.prompt_tokens:,}"),
        f"{row.completion_tokens:,}",
        "price not known" if row.cost is None else f"{row.cost:,.4f}",
      ]
      for row in entry.ledger
    ],
  )


def _hygiene(
  cache: Cache, split: str, entry: manifest.SplitEntry
) -> dict[str, Any] | None:
  """Returns the report beside the cache, or a new one; None of too many."""
  path = cache.folder / manifest.HYGIENE.format(split=split)
  if path.exists():
    return json.loads(path.read_text(encoding="utf-8"))
  if entry.answers > _MOST_ANSWERS:
    return None
  content = list(files.read(str(cache.folder), cache.manifest.family, split))
  return hygiene.survey(content, cache.family.answer_rule, samples=0)


def _cache_sentence(
  name: str, entry: manifest.SplitEntry, report: Mapping[str, Any] | None
) -> str:
  costs = [row.cost for row in entry.ledger]
  tokens = entry.prompt_tokens + entry.completion_tokens
  cost = "at a cost that is not known"
  if None not in costs:
    cost = f"for ${sum(filter(None, costs)):,.2f}"
  parts = [
    f"{name}: {entry.answers:,} answers to {entry.examples:,} examples, {cost}"
    + (f" ({tokens:,} tokens)." if tokens else ".")
  ]
  if report:
    parts.append(hygiene.in_a_sentence(report))
  return " ".join(parts)


def against_teacher(rows: Sequence[Row]) -> list[str]:
  """Returns where each student fails and a teacher does not."""
  both: dict[str, list[bool]] = {}
  alone = False
  for row in rows:
    right = any(answer["agrees"] == 1 for answer in row["teachers"])
    for one in row["students"]:
      alone |= not row["teachers"]
      if row["teachers"] and one["right"] is not None:
        name = f"{row['task']}, {row['split']}: {one['student']}"
        both.setdefault(name, []).append(right and not one["right"])
  found = [
    f"{name} is wrong on {sum(failed):,} of {len(failed):,} examples that a"
    " teacher answers right (the filter 'student wrong, teacher right' shows"
    " them)."
    for name, failed in both.items()
  ]
  if alone and not found:
    found.append(
      "No teacher was asked about the examples of the students' tests, so that"
      " their errors cannot be compared: `distill cache ask --split=test`."
    )
  return found


def of_classes(evaluations: Sequence[Evaluation]) -> list[Table]:
  """Returns the tables of classes; of several seeds it is the first."""
  found: dict[tuple[str, str], Table] = {}
  for one in sorted(evaluations, key=lambda e: e.seed or 0):
    header, lines = classes.confusion(one.rows, one.judged)
    key = one.name, one.task
    if key not in found and lines:
      title = f"{one.name}: {one.task}, {one.split}"
      found[key] = Table(title, header, lines)
  return list(found.values())


def costs(results: Results) -> list[dict[str, Any]]:
  """Returns what the page's cost fields work on, for each student.

  `name`; the teacher's `answers`, `prompt_tokens`, `completion_tokens`; of the
  student `cpu_seconds` to train it and `seconds` a prediction. None is not
  known.
  """
  students = statistics.at_home(results.rows)
  found = []
  for one in students:
    balance = economics.balance(results, one)
    asked = economics.asked_teacher(results, one)
    ms = balance["ms a query"]
    found.append(
      {
        "name": f"{one.first.task}: {verdicts.name(one, students)},"
        f" {one.first.train_examples:,} examples",
        "accuracy": round(one.mean, 1),
        "answers": asked.answers if asked else None,
        # An imported cache does not know its tokens: 0 of both.
        "prompt_tokens": (asked and asked.prompt_tokens) or None,
        "completion_tokens": (asked and asked.completion_tokens) or None,
        "cost": asked.cost if asked else None,
        "cpu_seconds": balance["CPU s"],
        "seconds": None if ms is None else ms / 1e3,
      }
    )
  return found
