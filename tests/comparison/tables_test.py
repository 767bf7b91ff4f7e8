"""Tables, figure and equivalences of a small file of results."""

import dataclasses
import json

import pytest
from matplotlib import image

from distill import errors
from distill.comparison import figures, results, statistics, tables


@pytest.fixture
def found(row, teacher):
  """Two methods at three shares and two seeds, and a student elsewhere."""
  right = {"finetune": (10, 20, 60), "step_by_step": (30, 65, 90)}
  rows = [
    row(
      "1" * count + "0" * (100 - count),
      seed,
      method=method,
      fraction=fraction,
      teacher="palm" if method == "step_by_step" else "",
      student={"parameters": 1000.0},
    )
    for method, counts in right.items()
    for fraction, count in zip((0.25, 0.5, 1.0), counts, strict=True)
    for seed in (0, 1)
  ]
  rows.append(row("10", evaluated="coin_flip", fraction=1.0))
  return results.Results(
    grid="mine", command="distill compare", rows=rows, teachers=[teacher]
  )


def lines_of(text):
  return [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in text.splitlines()
  ]


def test_the_table_has_a_line_for_each_student_and_lines_up(found):
  text = tables.results_table(found.rows)
  assert len({len(line) for line in text.splitlines()}) == 1
  header, _, *lines = lines_of(text)
  assert len(lines) == 6
  by_name = dict(zip(header, lines[-1], strict=True))
  assert by_name == {
    "task": "last_letters",
    "method": "step_by_step",
    "train examples": "500",
    "test metric": "accuracy",
    "mean": "90.0 ± 0.0",
    "seeds": "90.0, 90.0",
    "steps": "10",
    "target tokens": "640",
    "CPU s": "7",
  }


def test_differences_are_on_as_many_examples(found):
  _, _, *lines = lines_of(tables.differences_table(found.rows))
  assert [line[2] for line in lines] == ["125", "250", "500"]
  assert lines[2][6] == "finetune" and lines[2][7].startswith("+30.0 [")


def test_a_report_says_what_chance_is(row):
  chance = {"majority": 51.8, "task": "coin_flip", "evaluated": "coin_flip"}
  rows = [
    row(**chance),
    row(**{**chance, "evaluated": "boolq", "majority": 60.0}),
  ]
  report = tables.report(
    results.Results(grid="mine", command="", rows=rows, teachers=[])
  )
  said = (
    "Accuracy of the test's most frequent answer: coin_flip 51.8, boolq 60.0."
  )
  assert said in report.splitlines()


def test_a_difference_within_a_method_says_in_what(row):
  same = {"method": "scotd", "teacher": "palm"}
  rows = [
    row("1", coverage=0.5, **same),
    row("1", **same),
    row("1", **{**same, "teacher": "gpt35"}, coverage=0.5),
  ]
  _, _, *lines = lines_of(tables.differences_table(rows))
  assert [line[6] for line in lines[:2]] == ["scotd, 50%", "scotd, palm"]


def test_the_share_of_the_data_that_is_enough(found):
  [share] = statistics.shares(found.rows, "finetune")
  # 65 at half of the data against 60 at all of it.
  assert share.found == "50.0%" and share.low <= "50.0%"
  [passed] = statistics.passing(found)
  assert (passed.found, passed.bar) == ("tiny", "the teacher palm, 70.0")


def test_transfer_has_a_column_for_each_test(found):
  header, _, *lines = lines_of(tables.transfer_table(found.rows))
  assert header[-2:] == ["last_letters", "coin_flip"]
  assert ["60.0 ± 0.0", "50.0"] in [line[-2:] for line in lines]
  at_home = [row for row in found.rows if row.evaluated == row.task]
  assert tables.transfer_table(at_home) == ""


def test_the_optimistic_protocol_is_called_so(found, row):
  assert "Optimistic" not in tables.report(found)
  rows = [*found.rows, row(protocol="best_on_test")]
  optimistic = results.Results(grid="mine", command="", rows=rows)
  report = tables.report(optimistic)
  assert "Optimistic" in report
  header, *_, last = lines_of(tables.results_table(rows))
  assert last[header.index("protocol")] == "best_on_test"


def test_a_picture_with_a_panel_for_each_axis(found, tmp_path, row):
  figures.draw(found, tmp_path / "one.png")
  more = [
    row(model=f"{size}", student={"parameters": size}, fraction=f)
    for size in (1e3, 1e6)
    for f in (0.5, 1)
  ]
  two = results.Results(grid="mine", command="", rows=more)
  figures.draw(two, tmp_path / "two.png")
  bars = results.Results(grid="mine", command="", rows=more[:1])
  figures.draw(bars, tmp_path / "bars.png")
  one, two, bars = (
    image.imread(tmp_path / f"{name}.png").shape[0]
    for name in ("one", "two", "bars")
  )
  assert two == pytest.approx(2 * one, rel=0.01) and bars < one


def test_what_only_newer_rows_have_is_a_column_of_theirs(row):
  newer = [
    row("1100", 0, steps_to_best=20, label_loss=0.01, other_xla=-1.5),
    row("1110", 1, steps_to_best=40, label_loss=0.03, majority=70.0),
  ]
  header, _, line = lines_of(tables.results_table(newer))
  by_name = dict(zip(header, line, strict=True))
  names = ("best step", "learned", "memorized", "other XLA")
  found = [by_name[name] for name in names]
  assert found == ["30", "1 of 2", "1 of 2", "-1.5"]
  header, *_ = lines_of(tables.results_table([row()]))
  assert not {*names} & {*header}


def test_comparisons_are_not_mixed(row):
  budget = {"comparison": "equal_tokens", "budget_of": "step_by_step"}
  rows = [
    row("1000"),
    row("1110", method="step_by_step", teacher="palm"),
    row("1100", **budget),
  ]
  header, _, *lines = lines_of(tables.differences_table(rows))[:4]
  names = ("comparison", "method", "minus", "difference [95%]")
  places = [header.index(name) for name in names]
  found = [[line[place].split(" [")[0] for place in places] for line in lines]
  assert found == [
    ["equal_examples", "step_by_step", "finetune", "+50.0"],
    ["equal_tokens", "finetune", "step_by_step", "-25.0"],
  ]


def test_a_row_of_an_earlier_version_says_its_comparison(row, tmp_path):
  rows = [row(method="finetune, equal tokens"), row()]
  path = tmp_path / "results.json"
  older = results.Results(grid="mine", command="", rows=rows)
  results.write_results(older, path)
  content = json.loads(path.read_text())
  later = ("comparison", "budget_of", "steps_to_best", "label_loss", "curve")
  for one in content["rows"]:
    for name in (*later, "other_xla"):
      del one[name]
  path.write_text(json.dumps(content))
  first, second = results.read_results(path).rows
  assert (first.method, first.comparison) == ("finetune", "equal_tokens")
  assert first.label == "finetune, equal tokens" and first.memorized is None
  assert (second.label, second.comparison) == ("finetune", "equal_examples")


def test_accuracy_against_steps_keeps_the_last_of_a_run_that_ended(
  row, tmp_path
):
  curves = [[[10, 5.0], [20, 30.0]], [[10, 15.0], [20, 20.0], [30, 60.0]]]
  rows = [row(seed=seed, curve=curve) for seed, curve in enumerate(curves)]
  [one] = statistics.group(rows)
  steps, accuracies = figures.steps_and_accuracies(one)
  assert steps == [10, 20, 30]
  assert accuracies.tolist() == [[5, 30, 30], [15, 20, 60]]
  for name, some in (("bars", [row()]), ("both", rows)):
    drawn = results.Results(grid="mine", command="", rows=some)
    figures.draw(drawn, tmp_path / f"{name}.png")
  bars, both = (
    image.imread(tmp_path / f"{name}.png").shape[0] for name in ("bars", "both")
  )
  assert both > 3 * bars


def test_a_bar_is_named_by_what_the_students_differ_in(row):
  def names(*rows):
    return figures.bar_names(statistics.group(rows))

  assert names(row(method="cot"), row(method="finetune", teacher="")) == [
    "cot",
    "finetune",
  ]
  rows = [
    row(method="cot", model=model, teacher=teacher)
    for model in ("random", "starter")
    for teacher in ("one", "two")
  ]
  assert names(*rows) == [
    "cot one random",
    "cot two random",
    "cot one starter",
    "cot two starter",
  ]


def test_results_round_trip_and_leave_no_partial_file(found, tmp_path):
  path = tmp_path / "results.json"
  results.write_results(found, path)
  assert results.read_results(path) == found
  assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("text", ["", "{}x", "[]", '{"rows": [{"task": 1}]}'])
def test_a_foreign_file_is_refused(tmp_path, text):
  path = tmp_path / "results.json"
  path.write_text(text)
  with pytest.raises(errors.UserError, match="results.json"):
    results.read_results(path)


def test_who_has_no_teacher_covers_nothing_and_one_seed_is_said(row):
  rows = [row("10", method="finetune", teacher="")]
  rows += [
    row("11", method="cot", teacher="palm", coverage=c) for c in (0.5, 1)
  ]
  header, _, *lines = lines_of(tables.results_table(rows))
  column = header.index("coverage")
  assert [line[column] for line in lines] == ["0.0", "0.5", "1"]
  said = "one seed are over the test examples alone"
  assert said in tables.differences_table(rows)
  more = [dataclasses.replace(one, seed=1) for one in rows]
  assert said not in tables.differences_table([*rows, *more])
