"""One cell of a grid: a student is trained, chosen on validation, tested."""

import dataclasses
import importlib.metadata
import json
import pathlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import distill
from distill import gin_run
from distill.comparison import flags
from distill.comparison.grid import HONEST, Cell, Grid
from distill.comparison.results import Result
from distill.data.methods import METHODS

if TYPE_CHECKING:
  from distill.data.registration import Family


# In the home of a cell that failed: why it did.
FAILED = "failed.txt"


def home_of(folder: pathlib.Path, cell: Cell) -> pathlib.Path:
  """Returns where a cell's log, checkpoints, predictions and rows are."""
  return folder / "cells" / cell.name


def kept_rows(folder: pathlib.Path, cell: Cell) -> list[Result]:
  """Returns the rows of a cell that is done, else []."""
  path = home_of(folder, cell) / "rows.json"
  if not path.exists():
    return []
  return [Result(**row) for row in json.loads(path.read_text())]


def train_and_test(
  grid: Grid, cell: Cell, folder: pathlib.Path
) -> tuple[Result, str]:
  """Trains and tests a student; goes on where a killed process was.

  Returns:
    Its row, and the checkpoint (or MODEL_DIR, whose best one) was tested.

  Raises:
    UserError: Something of the configuration or the data is wrong.
  """
  trained, count, total, spent = _train(grid, cell, folder)
  metrics, right, checkpoint = _choose(grid, cell, folder, trained)
  row = Result(
    task=cell.family,
    evaluated=cell.family,
    method=cell.label,
    model=cell.model,
    teacher=cell.teacher,
    train_examples=count,
    fraction=count / total,
    coverage=cell.coverage,
    seed=cell.seed,
    protocol=grid.protocol,
    metrics=metrics,
    right=right,
    majority=_majority(_family(grid, cell, cell.family)),
    steps=spent.get("step", 0),
    target_tokens=round(spent.get("target_tokens_total", 0)),
    cpu_seconds=None,
    versions=f"distill {distill.__version__}, jax "
    + importlib.metadata.version("jax"),
  )
  return row, checkpoint


def transfers(
  grid: Grid, cell: Cell, folder: pathlib.Path, row: Result, checkpoint: str
) -> list[Result]:
  """Tests it on the other families whose answers are of the same kind."""

  def rule(name: str) -> object:
    return _family(grid, cell, name).answer_rule

  rows = []
  for family in grid.transfer_to:
    if family != cell.family and rule(family) == rule(cell.family):
      output = home_of(folder, cell) / "test" / family
      metrics, right = test(grid, cell, checkpoint, output, family)
      rows.append(
        dataclasses.replace(
          row,
          evaluated=family,
          metrics=metrics,
          right=right,
          majority=_majority(_family(grid, cell, family)),
          cpu_seconds=None,
          student={},
        )
      )
  return rows


def _family(grid: Grid, cell: Cell, name: str) -> "Family":
  """Returns a family, which the cell's own modules may register."""
  from distill.data import registration

  return registration.find_family(name, flags.modules_of(grid, cell))


def _majority(family: "Family") -> float:
  examples = family.dataset.examples("test")
  (_, most), *_ = Counter(one.label for one in examples).most_common(1)
  return 100.0 * most / len(examples)


def _train(
  grid: Grid, cell: Cell, folder: pathlib.Path
) -> tuple[str, int, int, Mapping[str, Any]]:
  """Trains, or finds what is not to be trained.

  Returns:
    The MODEL_DIR or checkpoint, the training examples selected and all of
    them, and the last line of the log of metrics.
  """
  from distill.data import selection

  dataset = _family(grid, cell, cell.family).dataset
  total = len(dataset.examples("train"))
  if not METHODS[cell.method].train:
    survey = flags.survey_of(grid, "train", grid.gin_file(cell))
    macros = {name: m.value for name, m in survey.defined.items()}
    macros |= grid.macros_of(cell)
    return str(macros.get("INITIAL_CHECKPOINT_PATH")), 0, total, {}
  model_dir = home_of(folder, cell) / "model"
  told = flags.flags_of(grid, cell, "train")
  if cell.tokens_of:
    told.append(f"--gin.TRAIN_STEPS={_equal_steps(grid, cell, folder)}")
  gin_run.run("train", [*told, f"--gin.MODEL_DIR='{model_dir}'"])
  count = selection.current_selection().count(total)
  logged = (model_dir / "train" / "metrics.jsonl").read_text().splitlines()
  return str(model_dir), count, total, json.loads(logged[-1])


def _equal_steps(grid: Grid, cell: Cell, folder: pathlib.Path) -> int:
  """Returns the steps that take the target tokens of another method."""

  def row(method: str) -> Result:
    alike = (
      other
      for other in grid.cells()
      if (other.method, other.family, other.model, other.size, other.seed)
      == (method, cell.family, cell.model, cell.size, cell.seed)
      and not other.tokens_of
    )
    most = max(alike, key=lambda other: other.coverage)
    return kept_rows(folder, most)[0]

  own, other = row(cell.method), row(cell.tokens_of)
  return round(own.steps * other.target_tokens / own.target_tokens)


def _choose(
  grid: Grid, cell: Cell, folder: pathlib.Path, trained: str
) -> tuple[dict[str, float], str, str]:
  """Returns metrics, what was right, and the checkpoint that was tested.

  Validation has chosen it; only the optimistic protocol asks the test split,
  and a given checkpoint is the only one.
  """
  output = home_of(folder, cell) / "test"
  if grid.protocol == HONEST or not METHODS[cell.method].train:
    found = test(grid, cell, trained, output / cell.family, cell.family)
    return *found, trained
  tried = [
    (*test(grid, cell, str(path), output / path.name, cell.family), str(path))
    for path in sorted(pathlib.Path(trained).glob("checkpoint_*"))
  ]
  return max(tried, key=lambda found: found[0]["accuracy"])


def test(
  grid: Grid, cell: Cell, checkpoint: str, output: pathlib.Path, family: str
) -> tuple[dict[str, float], str]:
  """Returns a family's metrics and, by the order of ids, what was right.

  What was tested before is read and not asked again.
  """
  if not (output / "metrics.json").exists():
    told = flags.flags_of(grid, cell, "evaluate", family)
    told.append(f"--gin.CHECKPOINT_PATH='{checkpoint}'")
    gin_run.run("evaluate", [*told, f"--gin.EVAL_OUTPUT_DIR='{output}'"])
  scores = json.loads((output / "metrics.json").read_text())
  metrics = {
    name.partition("/")[2]: value
    for name, value in scores.items()
    if isinstance(value, int | float)
  }
  lines = [
    json.loads(line)
    for path in sorted(output.glob("*-right.jsonl"))
    for line in path.read_text().splitlines()
  ]
  lines.sort(key=lambda line: line["id"])
  return metrics, "".join(str(int(line["right"])) for line in lines)
