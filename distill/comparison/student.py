"""Trains the student of one cell, and tests its best checkpoint once."""

import dataclasses
import importlib.metadata
import json
import pathlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import distill
from distill import errors, gin_run
from distill.comparison import results
from distill.comparison.cell import Cell, cells_of
from distill.comparison.grid import HONEST
from distill.comparison.results import Result

if TYPE_CHECKING:
  from distill.data.registration import Family


def train_and_test(cell: Cell) -> tuple[Result, str]:
  """Returns the row, and the checkpoint or MODEL_DIR that was tested."""
  trained, count, total, last = _train(cell)
  metrics, right, checkpoint = _test_best(cell, trained)
  row = Result(
    **cell.columns,
    evaluated=cell.family,
    train_examples=count,
    fraction=count / total,
    protocol=cell.grid.protocol,
    metrics=metrics,
    right=right,
    majority=_majority(_family(cell, cell.family)),
    steps=last.get("step", 0),
    steps_to_best=_steps_to_best(checkpoint) if cell.is_trained else None,
    label_loss=last.get("loss/label", last.get("loss")),
    curve=_curve(trained) if cell.is_trained else [],
    target_tokens=round(last.get("target_tokens_total", 0)),
    cpu_seconds=None,
    versions=f"distill {distill.__version__}, jax "
    + importlib.metadata.version("jax"),
  )
  return row, checkpoint


def _train(cell: Cell) -> tuple[str, int, int, Mapping[str, Any]]:
  """Trains a student, or finds the checkpoint that is only tested.

  Returns:
    The MODEL_DIR or checkpoint, the number of training examples selected and of
    all, and the last line of the log of metrics.
  """
  from distill.data import selection

  total = len(_family(cell, cell.family).dataset.examples("train"))
  if not cell.is_trained:
    macros = {n: m.value for n, m in cell.survey("train").defined.items()}
    macros |= cell.macros()
    return str(macros.get("INITIAL_CHECKPOINT_PATH")), 0, total, {}
  model_dir = cell.home / "model"
  flags = cell.flags("train")
  if cell.budget_of:
    flags.append(f"--gin.TRAIN_STEPS={_equal_steps(cell)}")
    flags.append("--gin.PATIENCE=None")  # all of the budget is spent
  gin_run.run("train", [*flags, f"--gin.MODEL_DIR='{model_dir}'"])
  count = selection.current_selection().count(total)
  logged = (model_dir / "train" / "metrics.jsonl").read_text().splitlines()
  return str(model_dir), count, total, json.loads(logged[-1])


def _equal_steps(cell: Cell) -> int:
  """Returns the steps that spend what another method has spent."""

  def row(method: str) -> Result:
    # The teacher and the coverage are those of the method.
    alike = (
      other
      for other in cells_of(cell.grid, cell.folder)
      if other
      == dataclasses.replace(
        cell,
        method=method,
        comparison=results.EQUAL_EXAMPLES,
        budget_of="",
        xla="",
        teacher=other.teacher,
        coverage=other.coverage,
      )
    )
    return max(alike, key=lambda other: other.coverage).rows()[0]

  spent = results.BUDGETS[cell.comparison]
  own, other = row(cell.method), row(cell.budget_of)
  mine, wanted = spent(own), spent(other)
  if not mine or not wanted:
    raise errors.UserError(
      f"{cell.comparison.upper()} has no budget: '{own.method}' or"
      f" '{other.method}' has not counted it.",
      expected="trained students; for label rows, PACK = False",
      remedy="correct METHODS or MACROS, and remove their finished cells",
    )
  return round(own.steps * wanted / mine)


def _steps_to_best(tested: str) -> int:
  """Returns the step of a checkpoint, or of the best one of a MODEL_DIR."""
  from distill.checkpoint_formats import loading

  return loading.open_checkpoint(tested).step or 0


def _curve(model_dir: str) -> list[list[float]]:
  """Returns the step and the mean validation accuracy of each evaluation."""
  path = pathlib.Path(model_dir) / "validation" / "metrics.jsonl"
  lines = path.read_text().splitlines() if path.exists() else []
  found = []
  for line in map(json.loads, lines):
    values = [v for name, v in line.items() if name.endswith("/accuracy")]
    if values:
      found.append([line["step"], sum(values) / len(values)])
  return found


def _test_best(cell: Cell, trained: str) -> tuple[dict[str, float], str, str]:
  """Returns metrics, what was right, and the checkpoint that was tested.

  Validation has chosen the checkpoint. With the optimistic protocol, the test
  split chooses it.
  """
  output = cell.home / "test"
  if cell.grid.protocol == HONEST or not cell.is_trained:
    return *_test(cell, trained, output / cell.family, cell.family), trained
  tried = [
    (*_test(cell, str(path), output / path.name, cell.family), str(path))
    for path in sorted(pathlib.Path(trained).glob("checkpoint_*"))
  ]
  return max(tried, key=lambda found: found[0]["accuracy"])


def _test(
  cell: Cell, checkpoint: str, output: pathlib.Path, family: str
) -> tuple[dict[str, float], str]:
  """Returns a family's metrics and, by the order of ids, what was right.

  The result of an earlier test is read from `output`.
  """
  if not (output / "metrics.json").exists():
    flags = cell.flags("evaluate", family)
    flags.append(f"--gin.CHECKPOINT_PATH='{checkpoint}'")
    gin_run.run("evaluate", [*flags, f"--gin.EVAL_OUTPUT_DIR='{output}'"])
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


def transfers(cell: Cell, row: Result, checkpoint: str) -> list[Result]:
  """Tests it on the other families whose answers are of the same kind."""
  own = _family(cell, cell.family)
  rows = []
  for name in cell.grid.transfer_to:
    family = _family(cell, name)
    if name != cell.family and family.answer_rule == own.answer_rule:
      output = cell.home / "test" / name
      metrics, right = _test(cell, checkpoint, output, name)
      rows.append(
        dataclasses.replace(
          row,
          evaluated=name,
          metrics=metrics,
          right=right,
          majority=_majority(family),
          cpu_seconds=None,
          student={},
        )
      )
  return rows


def _family(cell: Cell, name: str) -> "Family":
  """Returns a family, which the cell's own modules may register."""
  from distill.data import registration

  return registration.find_family(name, cell.modules())


def _majority(family: "Family") -> float:
  """Returns the accuracy of the most frequent label of the test split."""
  examples = family.dataset.examples("test")
  (_, most), *_ = Counter(one.label for one in examples).most_common(1)
  return 100.0 * most / len(examples)
