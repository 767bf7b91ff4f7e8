"""docs/claims.md and the README say what committed result files say."""

import dataclasses
import importlib.util
import pathlib
import re
import sys
import tomllib

import pytest

from distill import gin_run
from distill.comparison import cell, grid, results, tables

ROOT = pathlib.Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location(
  "claims", ROOT / "scripts" / "claims.py"
)
claims = importlib.util.module_from_spec(SPEC)
sys.modules["claims"] = claims  # dataclasses look their module up
SPEC.loader.exec_module(claims)
RESULTS = claims.RESULTS


def row(right, seed, method, fraction, majority=0.0):
  """Returns the row of a student whose accuracy is that of `right`."""
  return results.Result(
    task="last_letters",
    evaluated="last_letters",
    method=method,
    model="tiny",
    teacher="",
    train_examples=round(500 * fraction),
    fraction=fraction,
    coverage=1.0,
    seed=seed,
    protocol=grid.HONEST,
    metrics={"accuracy": 100 * right.count("1") / len(right)},
    right=right,
    steps=10,
    target_tokens=640,
    cpu_seconds=7.0,
    majority=majority,
  )


TEACHER = results.Teacher(
  name="",
  model="PaLM",
  task="last_letters",
  split="train",
  answers=100,
  accuracy=70.0,
  prompt_tokens=900,
  completion_tokens=100,
  cost=5.0,
)


def cells_of(line):
  return tuple(cell.strip() for cell in line.strip("|").split("|"))


def test_the_page_is_what_the_result_files_say():
  assert (ROOT / "docs" / "claims.md").read_text() == claims.page()


@pytest.mark.parametrize(
  "path", sorted(RESULTS.glob("*.md")), ids=lambda path: path.stem
)
def test_a_report_is_what_its_result_file_says(path):
  found = results.read_results(path.with_suffix(".json"))
  assert path.read_text() == tables.report(found)


def test_the_readme_s_tables_are_of_result_files():
  backed = set()
  for path in RESULTS.glob("*.json"):
    rows = results.read_results(path).rows
    backed |= set(map(cells_of, tables.results_table(rows).splitlines()))
  text = re.sub(
    r"step_by_step, (\w+) rationales", r"step_by_step_\1", README.read_text()
  )
  lines = [
    line for line in text.splitlines() if re.search(r"\| +accuracy +\|", line)
  ]
  assert lines
  for line in lines:
    assert cells_of(line) in backed, line


README = ROOT / "README.md"


def test_every_claim_names_a_grid_that_is_there_or_why_none_is():
  rows = tomllib.loads(claims.TABLE.read_text())["claim"]
  for row in rows:
    assert bool(row.get("grids")) != bool(row.get("why")), row
    for name in row.get("grids", ()):
      path = gin_run.GIN_CONFIGS / "grids" / f"{name}.gin"
      found = grid.read_grid(str(path), [], [""])
      methods = [row[key]["method"] for key in ("one", "other") if key in row]
      known = {one.method for one in cell.cells_of(found, path)}
      assert set(methods) <= known, row


CLAIM = """
[[claim]]
claim = "It helps."
paper = "Somebody 2023"
grids = ["mine"]
"""


def judged(tmp_path, toml, rights, teachers=(), seeds=(0, 1, 2), **fields):
  """Returns the figure and the verdict for students' right answers."""
  table = tmp_path / "claims.toml"
  table.write_text(CLAIM + toml)
  rows = [
    row("1" * n + "0" * (100 - n), seed, method, fraction, **fields)
    for (method, fraction), n in rights.items()
    for seed in seeds
  ]
  found = results.Results(grid="mine", command="", rows=rows, teachers=teachers)
  results.write_results(found, tmp_path / "mine.json")
  last = claims.page(tmp_path, table).splitlines()[-1]
  verdict, _, sentence = last.removeprefix("- **").partition("**: ")
  return sentence, verdict


def test_two_models_of_one_method_are_compared(tmp_path):
  (tmp_path / "claims.toml").write_text(
    CLAIM
    + """
rule = "difference"
one = { method = "cot", model = "large" }
other = { method = "cot", model = "small" }
"""
  )
  rows = [
    dataclasses.replace(
      row("1" * n + "0" * (100 - n), seed, "cot", 1.0), model=model
    )
    for model, n in (("small", 20), ("large", 70))
    for seed in (0, 1)
  ]
  found = results.Results(grid="mine", command="", rows=rows)
  results.write_results(found, tmp_path / "mine.json")
  page = claims.page(tmp_path, tmp_path / "claims.toml")
  assert "**Holds**" in page and "of +50.0 points" in page
  assert "of the model large has 70.0 ± 0.0" in page


DIFFERENCE = """
rule = "difference"
one = { method = "cot" }
other = { method = "finetune" }
"""


@pytest.mark.parametrize(
  ("right", "verdict"),
  [(80, "Holds"), (20, "Does not hold"), (51, "Cannot be told")],
)
def test_a_difference_is_judged_by_its_interval(tmp_path, right, verdict):
  rights = {("finetune", 1.0): 50, ("cot", 1.0): right}
  figure, found = judged(tmp_path, DIFFERENCE, rights)
  assert found == verdict
  assert f"`cot` has {right:.1f} ± 0.0 and `finetune` 50.0 ± 0.0" in figure
  assert f"difference of {right - 50:+.1f} points (95% interval" in figure
  assert "; 3 seeds. [All results](results/mine.md)" in figure
  assert "`distill compare --gin_file=grids/mine.gin`" in figure


def test_a_bar_below_zero_lets_little_be_lost(tmp_path):
  rights = {("finetune", 1.0): 50, ("cot", 1.0): 50}
  toml = DIFFERENCE + "bar = -2.0\n"
  assert judged(tmp_path, toml, rights)[1] == "Holds"


@pytest.mark.parametrize(
  ("seeds", "right", "why"),
  [
    ([0], 80, "One seed decides nothing."),
    ([0, 1], 80, ""),
    ([0, 1], 9, "The task is not learned."),
  ],
)
def test_what_tells_nothing_is_no_verdict(tmp_path, seeds, right, why):
  rights = {("finetune", 1.0): 0, ("cot", 1.0): right}
  figure, found = judged(tmp_path, DIFFERENCE, rights, seeds=seeds)
  assert found == ("Cannot be told" if why else "Holds")
  assert why in figure


def test_chance_is_not_learning(tmp_path):
  rights = {("finetune", 1.0): 5, ("cot", 1.0): 59}
  figure, found = judged(tmp_path, DIFFERENCE, rights, majority=50.0)
  assert found == "Cannot be told"
  assert "The task is not learned." in figure
  _, found = judged(
    tmp_path, DIFFERENCE, {**rights, ("cot", 1.0): 60}, majority=50.0
  )
  assert found == "Holds"


def test_a_share_that_reaches_what_was_not_learnt_is_no_feat(tmp_path):
  rights = {("cot", 0.5): 30, ("cot", 1.0): 40, ("finetune", 1.0): 9}
  figure, found = judged(tmp_path, SHARE, rights)
  assert found == "Cannot be told"
  assert "The task is not learned." in figure


SHARE = DIFFERENCE.replace("difference", "share")


@pytest.mark.parametrize(
  ("half", "whole", "verdict"),
  [(90, 95, "Holds"), (5, 95, "Does not hold"), (50, 95, "Cannot be told")],
)
def test_a_share_is_judged_by_its_interval(tmp_path, half, whole, verdict):
  rights = {("cot", 0.5): half, ("cot", 1.0): whole}
  rights |= {("finetune", 0.5): 10, ("finetune", 1.0): 51}
  figure, found = judged(tmp_path, SHARE, rights)
  assert found == verdict
  assert "finetune on 100% of the data, 51.0 ± 0.0" in figure


def test_a_teacher_is_passed(tmp_path):
  toml = 'rule = "teacher"\none = { method = "cot" }\n'
  rights = {("cot", 1.0): 90}
  assert judged(tmp_path, toml, rights, [TEACHER])[1] == "Holds"
  rights = {("cot", 1.0): 40}
  assert judged(tmp_path, toml, rights, [TEACHER])[1] == "Does not hold"


def test_a_grid_that_was_not_run_says_so(tmp_path):
  table = tmp_path / "claims.toml"
  table.write_text(CLAIM + DIFFERENCE)
  last = claims.page(tmp_path, table).splitlines()[-1]
  assert last.startswith("- **Cannot be told**: the grid was not run yet.")
  assert "`distill compare --gin_file=grids/mine.gin`" in last
