"""What a page is made of: grids, runs, evaluations and caches on disk.

Nothing is required to be finished: what is missing is said in words.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill import errors
from distill.comparison import results, statistics, verdicts
from distill.comparison.results import Results

_TRAIN_STEPS = re.compile(r"^TRAIN_STEPS = (\d+)", re.MULTILINE)
_PREDICTIONS = re.compile(r"(?P<task>.+)-(?P<step>\d{6,})")
_NAMED = 5
_KINDS = (
  "the folder of a grid (`distill compare`) or its results.json, a MODEL_DIR,"
  " an EVAL_OUTPUT_DIR, or a cache"
)


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """One student's answers to a split.

  Attributes:
    name: The student, as the page calls it.
    seed: Its seed in a grid; None outside of one.
    task: The SeqIO task.
    split: The split.
    rows: Lines of predictions: `id`, `inputs`, `target`, `prediction`, and
      where it differs `output`.
    judged: The lines of `<task>-right.jsonl`.
    rationales: The student's rationale by the example's id, {} if it was not
      asked for them.
  """

  name: str
  seed: int | None
  task: str
  split: str
  rows: Sequence[Mapping[str, Any]]
  judged: Sequence[Mapping[str, Any]]
  rationales: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Run:
  """A MODEL_DIR: its logged metrics, and how far it came."""

  name: str
  train: Sequence[Mapping[str, float]]
  validation: Sequence[Mapping[str, float]]
  steps: int | None


@dataclasses.dataclass
class Material:
  """All that was found, and sentences about what was not.

  Attributes:
    grids: Results of grids, by the path given.
    runs: Training runs.
    evaluations: Students' answers.
    caches: Folders of caches.
    missing: Sentences.
  """

  grids: dict[str, Results] = dataclasses.field(default_factory=dict)
  runs: list[Run] = dataclasses.field(default_factory=list)
  evaluations: list[Evaluation] = dataclasses.field(default_factory=list)
  caches: list[pathlib.Path] = dataclasses.field(default_factory=list)
  missing: list[str] = dataclasses.field(default_factory=list)


def read(paths: Sequence[pathlib.Path]) -> Material:
  """Returns what the paths hold.

  Raises:
    UserError: A path does not exist, or a file is damaged.
  """
  found = Material()
  for path in paths:
    if not path.exists():
      raise errors.UserError(
        f"{path} does not exist.", expected=_KINDS, remedy="correct the path"
      )
    _add(found, path)
  return found


def _add(found: Material, path: pathlib.Path) -> None:
  if path.is_file():
    found.grids[str(path)] = results.read_results(path)
  elif (path / "cells").is_dir() or (path / "results.json").exists():
    _add_grid(found, path)
  elif (path / "manifest.json").exists():
    found.caches.append(path)
  elif (path / "config.gin").exists() or (path / "train").is_dir():
    _add_run(found, path)
  elif any(path.glob("*-right.jsonl")) or (path / "metrics.json").exists():
    found.evaluations += _evaluations(path, path.name)
  else:
    what = "is empty" if not any(path.iterdir()) else "has none of these"
    found.missing.append(f"{path} {what}; a report needs {_KINDS}.")


def _add_grid(found: Material, path: pathlib.Path) -> None:
  """Adds a grid's finished students, its caches, and what is not finished."""
  cells = sorted(p for p in path.glob("cells/*") if p.is_dir())
  found_rows = {cell: _cell_rows(cell) for cell in cells}
  # The repetition of a student by OTHER_XLA is no further seed.
  rows = {c: some for c, some in found_rows.items() if not _is_repetition(c)}
  if (path / "results.json").exists():
    found.grids[str(path)] = results.read_results(path / "results.json")
  else:
    done = [row for some in rows.values() for row in some]
    if done:
      found.grids[str(path)] = Results(
        grid=path.name, command="(not finished)", rows=done
      )
  left = [cell.name for cell in cells if not found_rows[cell]]
  if left:
    named = ", ".join([*left[:_NAMED], *(["…"] if left[_NAMED:] else [])])
    found.missing.append(
      f"{path}: {len(left)} of {len(cells)} students are not finished"
      f" ({named})."
    )
  elif not cells:
    found.missing.append(f"{path} has no cells, so that no example is shown.")
  found.caches += sorted(p.parent for p in path.glob("data/**/manifest.json"))
  students = statistics.at_home([row for some in rows.values() for row in some])
  for cell, some in rows.items():
    for row in some[:1]:
      [one] = [s for s in students if row in s.rows]
      name = f"{verdicts.name(one, students)}, {row.train_examples:,} examples"
      for test in sorted((cell / "test").glob("*")):
        found.evaluations += _evaluations(test, name, row.seed)


def _is_repetition(cell: pathlib.Path) -> bool:
  return cell.name.endswith("-xla")


def _cell_rows(cell: pathlib.Path) -> list[results.Result]:
  path = cell / "rows.json"
  if not path.exists():
    return []
  try:
    return [results.read_row(row) for row in json.loads(path.read_text())]
  except (ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f"{path} cannot be read.",
      expected="rows of a student, as `distill compare` writes them",
      found=repr(error),
      remedy="remove the cell and run the grid again",
    ) from error


def _add_run(found: Material, path: pathlib.Path) -> None:
  config = path / "config.gin"
  match = _TRAIN_STEPS.search(config.read_text()) if config.exists() else None
  run = Run(
    name=path.name,
    train=_lines(path / "train" / "metrics.jsonl"),
    validation=_lines(path / "validation" / "metrics.jsonl"),
    steps=int(match[1]) if match else None,
  )
  found.runs.append(run)
  done = run.train[-1]["step"] if run.train else 0
  if run.steps and done < run.steps:
    found.missing.append(
      f"{path}: step {done:,.0f} of {run.steps:,} is logged; the run is not"
      " finished."
    )
  folder = path / "inference_eval"
  evaluated = list(_evaluations(folder, path.name, split="validation"))
  found.evaluations += evaluated
  if not evaluated:
    found.missing.append(f"{path} has no predictions yet (inference_eval).")


def _evaluations(
  folder: pathlib.Path, name: str, seed: int | None = None, split: str = ""
) -> Iterator[Evaluation]:
  """Yields the newest answers of each task in a folder of predictions."""
  if not split:
    metrics = folder / "metrics.json"
    known = json.loads(metrics.read_text()) if metrics.exists() else {}
    split = known.get("split", "test")
  newest: dict[str, pathlib.Path] = {}
  for path in sorted(folder.glob("*.jsonl")):
    if match := _PREDICTIONS.fullmatch(path.stem):
      newest[match["task"]] = path
  for task, path in newest.items():
    if task.endswith("_rationale"):
      continue
    family = re.sub(r"_label.*", "", task)
    said = newest.get(f"{family}_rationale")
    yield Evaluation(
      name=name,
      seed=seed,
      task=task,
      split=split,
      rows=_lines(path),
      judged=_lines(folder / f"{task}-right.jsonl"),
      rationales={
        str(row["id"]): row["prediction"]
        for row in (_lines(said) if said else [])
      },
    )


def _lines(path: pathlib.Path) -> list[dict[str, Any]]:
  """Returns the lines of a file; a last one that is not whole is left out."""
  if not path.exists():
    return []
  found = []
  lines = path.read_text(encoding="utf-8").splitlines()
  for number, line in enumerate(lines):
    try:
      found.append(json.loads(line))
    except ValueError as error:
      if number < len(lines) - 1:
        raise errors.UserError(
          f"{path}, line {number + 1} is not JSON.", found=str(error)
        ) from error
  return found
