"""The report: means and errors by hand, files that survive."""

import json
import math

import pytest

from distill import errors
from distill.evaluation import report


def row(method="finetune", seed=0, value=50.0, task="last_letters", **rest):
  fields = {
    "task": task,
    "method": method,
    "train_examples": 1000,
    "seed": seed,
    "metric": "accuracy",
    "value": value,
    "steps": 2000,
    "tokens": 64000,
    "cpu_seconds": 61.5,
    **rest,
  }
  return report.Result(**fields)


def test_summary_by_hand():
  rows = [row(seed=0, value=40), row(seed=1, value=50), row(seed=2, value=60)]
  [summary] = report.summarize(rows)
  assert summary.mean == 50
  # Sample deviation 10, over the root of three seeds.
  assert summary.standard_error == pytest.approx(10 / math.sqrt(3))


def test_one_seed_has_no_error():
  [summary] = report.summarize([row(value=12.5)])
  assert summary.mean == 12.5
  assert summary.standard_error is None


def test_table_keeps_methods_and_tasks_apart():
  rows = [
    row("finetune", 0, 40),
    row("step_by_step", 0, 90),
    row("finetune", 1, 60),
    row("finetune", 0, 1, task="coin_flip"),
  ]
  lines = report.format_table(rows).splitlines()
  assert len({len(line) for line in lines}) == 1  # columns line up
  assert len(lines) == 2 + 3
  assert "| 50.0 ± 10.0 | 40.0, 60.0 |" in lines[2]
  assert "step_by_step" in lines[3] and "| 90.0 " in lines[3]
  assert lines[4].startswith("| coin_flip")


def test_results_round_trip_and_leave_no_partial_file(tmp_path):
  rows = [row(), row("cot", 3, 99.0)]
  path = tmp_path / "results.json"
  report.write_results(rows, str(path))
  assert report.read_results(str(path)) == rows
  assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
  assert list(json.loads(path.read_text())[0]) == [
    "task",
    "method",
    "train_examples",
    "seed",
    "metric",
    "value",
    "steps",
    "tokens",
    "cpu_seconds",
  ]


@pytest.mark.parametrize("text", ["", "{}x", '[{"task": "a"}]', "3"])
def test_foreign_results_file_is_refused(tmp_path, text):
  path = tmp_path / "results.json"
  path.write_text(text)
  with pytest.raises(errors.UserError, match="results.json"):
    report.read_results(str(path))
  assert path.read_text() == text
