"""Real grids in real processes: killed, resumed, and not run twice."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from distill import errors
from distill.comparison import cell, results, running
from distill.comparison import grid as grid_lib

# So small that starting Python takes longest.
MACROS = {
  "EVALUATOR_NUM_EXAMPLES": 16,
  "BATCH_SIZE": 8,
  "EVAL_PERIOD": 20,
  "SAVE_PERIOD": 10,
  "STATS_PERIOD": 5,
  "TASK_FEATURE_LENGTHS": {"inputs": 64, "targets": 64},
  "T5Config.emb_dim": 16,
  "T5Config.mlp_dim": 16,
  "T5Config.num_encoder_layers": 1,
  "T5Config.num_decoder_layers": 1,
}


def make_grid(**fields):
  steps = fields.pop("steps", 20)
  return grid_lib.Grid(
    **{
      "name": "tiny",
      "families": ("last_letters",),
      "methods": ("finetune", "step_by_step"),
      "models": {"small": "experiments/last_letters_tiny_step_by_step.gin"},
      "macros": {"all": {**MACROS, "TRAIN_STEPS": steps}},
      **fields,
    }
  )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
  """A grid of one cell, run in one worker, and its folder."""
  folder = tmp_path_factory.mktemp("grid")
  grid = make_grid(methods=("step_by_step",), fractions=(0.2,))
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("XLA_FLAGS", os.environ["ONE_DEVICE_XLA_FLAGS"])
    return grid, folder, running.run(grid, folder, 1, "the command")


def test_a_cell_has_its_figures(finished):
  _, folder, found = finished
  [row] = found.rows
  assert (row.train_examples, row.fraction, row.steps) == (100, 0.2, 20)
  assert len(row.right) == 16 and set(row.right) <= {"0", "1"}
  assert row.accuracy == pytest.approx(100 * row.right.count("1") / 16)
  assert row.majority == 0.8  # 4 of the 500 answers of its test split
  assert row.target_tokens > 0 and 0 < row.cpu_seconds < 120
  [[step, validated]] = row.curve
  assert (row.steps_to_best, step) == (20, 20) and 0 <= validated <= 100
  # After 20 steps it neither knows its labels nor its task.
  assert row.label_loss > 0.1 and not row.memorized and not row.learned
  assert row.student["label_rows"] == 20 * 8 / 2
  # 20 steps of 8 rows, three forward passes each.
  student = row.student
  forward = student["training_flops"] / student["prediction_flops"]
  assert forward == pytest.approx(20 * 8 * 3)
  assert student["prediction_seconds"] > 0
  [teacher] = found.teachers
  assert (teacher.answers, teacher.accuracy, teacher.cost) == (500, 100.0, 0.0)
  assert results.read_results(folder / "results.json") == found


def test_what_is_done_is_not_run_again(finished, capfd):
  grid, folder, found = finished
  before = {
    path: path.stat().st_mtime_ns for path in folder.rglob("cells/**/*")
  }
  assert running.run(grid, folder, 1, "the command") == found
  assert "1 of 1 cells kept" in capfd.readouterr().err
  after = {path: path.stat().st_mtime_ns for path in folder.rglob("cells/**/*")}
  assert before == after


def test_other_settings_do_not_mix_with_what_is_done(finished):
  grid, folder, _ = finished
  other = make_grid(methods=("step_by_step",), fractions=(0.2,), steps=30)
  with pytest.raises(errors.UserError) as caught:
    running.run(other, folder, 1, "")
  for word in (
    cell.cells_of(grid, folder)[0].name,
    "TRAIN_STEPS=20",
    "TRAIN_STEPS=30",
  ):
    assert word in str(caught.value)


def test_a_cell_that_fails_names_itself(tmp_path):
  grid = make_grid(methods=("finetune",))
  grid.macros["all"]["TASK_FEATURE_LENGTHS"] = {"inputs": 64, "targets": 2}
  with pytest.raises(errors.UserError) as caught:
    running.run(grid, tmp_path, 1, "")
  for word in (cell.cells_of(grid, tmp_path)[0].name, "targets", "log.txt"):
    assert word in str(caught.value)


@pytest.mark.long
def test_a_given_checkpoint_is_tested_untrained(finished, tmp_path):
  _, folder, _ = finished
  [checkpoint] = folder.glob("cells/*/model/checkpoint_20")
  given = {
    "INITIAL_CHECKPOINT_PATH": str(checkpoint),
    # The prompt's worked examples come before each question.
    "TASK_FEATURE_LENGTHS": {"inputs": 1024, "targets": 16},
  }
  # Not even the papers' protocol has another checkpoint to choose.
  protocol = grid_lib.OPTIMISTIC
  grid = make_grid(methods=("zero_shot", "few_shot"), protocol=protocol)
  grid.macros["all"].update(given)
  found = running.run(grid, tmp_path, 1, "")
  assert [row.method for row in found.rows] == ["zero_shot", "few_shot"]
  for row in found.rows:
    assert (row.steps, row.train_examples, row.teacher) == (0, 0, "")
    assert len(row.right) == 16 and row.protocol == protocol


@pytest.mark.long
def test_a_budget_and_other_xla_settings(tmp_path):
  grid = make_grid(
    equal_label_rows={"finetune": "step_by_step"},
    other_xla={"flags": "--xla_cpu_max_isa=SSE4_2", "seeds": (0,)},
    methods=("step_by_step", "finetune"),
  )
  # PATIENCE ends every run early, but none that has a budget.
  grid.macros["all"] |= {"EVAL_PERIOD": 5, "PATIENCE": 1, "MIN_STEPS": 10}
  rows = running.run(grid, tmp_path, 1, "").rows
  first, second, budget = rows
  assert (budget.comparison, budget.method) == ("equal_label_rows", "finetune")
  assert budget.student["label_rows"] == first.student["label_rows"]
  assert budget.steps == first.steps / 2
  twins = sorted((tmp_path / "cells").glob("*-xla"))
  assert len(twins) == 3
  for row, twin in zip((budget, second, first), twins, strict=True):
    [kept] = json.loads((twin / "rows.json").read_text())
    assert row.other_xla == kept["metrics"]["accuracy"] - row.accuracy


@pytest.mark.long
def test_the_papers_protocol_takes_the_best_checkpoint_on_test(tmp_path):
  grid = make_grid(methods=("finetune",), protocol=grid_lib.OPTIMISTIC)
  grid.macros["all"]["EVAL_PERIOD"] = 10
  [row] = running.run(grid, tmp_path, 1, "").rows
  tested = [
    json.loads(path.read_text())["last_letters_finetune/accuracy"]
    for path in tmp_path.glob("cells/*/test/checkpoint_*/metrics.json")
  ]
  assert len(tested) == 2 and row.accuracy == max(tested)


LONGER = {**MACROS, "TRAIN_STEPS": 200, "EVAL_PERIOD": 200, "SAVE_PERIOD": 20}
GRID = f"""
FAMILIES = ('last_letters',)
METHODS = ('finetune', 'step_by_step')
MODELS = {{'small': 'experiments/last_letters_tiny_step_by_step.gin'}}
SEEDS = (0, 1)
MACROS = {{'all': {LONGER!r}}}
"""


def start(folder, **streams):
  """Starts a run of the grid as a user does, in a session of its own."""
  (folder / "grid.gin").write_text(GRID)
  return start_compare(
    folder, f"--gin_file={folder}/grid.gin", "--jobs=2", **streams
  )


def start_compare(folder, *flags, path=(), **streams):
  one_device = {"XLA_FLAGS": os.environ["ONE_DEVICE_XLA_FLAGS"]}
  paths = [*path, *filter(None, sys.path)]
  return subprocess.Popen(
    [
      *(sys.executable, "-m", "distill", "compare", *flags),
      f"--output_dir={folder}/out",
    ],
    **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams},
    text=True,
    env={
      **os.environ,
      **one_device,
      "PYTHONPATH": os.pathsep.join(map(str, paths)),
    },
    start_new_session=True,
  )


def workers(process):
  """Returns the pids of the process's children."""
  listed = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
  return [int(pid) for pid in listed.read_text().split()]


def wait_for(condition, seconds=900):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.05)


def steps_of(home):
  return [
    int(p.name.rpartition("_")[2]) for p in home.glob("model/checkpoint_*0")
  ]


@pytest.mark.long
def test_killed_in_the_middle_and_run_again(tmp_path):
  whole = start(tmp_path)
  assert whole.wait() == 0
  (tmp_path / "out").rename(tmp_path / "whole")

  cells = tmp_path / "out" / "cells"
  first = start(tmp_path)
  wait_for(lambda: list(cells.glob("*/rows.json")))
  wait_for(lambda: any(_is_half_way(home) for home in cells.iterdir()))
  orphans = workers(first)
  first.send_signal(signal.SIGKILL)
  first.wait()
  wait_for(
    lambda: not any(os.path.exists(f"/proc/{pid}") for pid in orphans), 10
  )
  done = {path: path.read_bytes() for path in cells.glob("*/rows.json")}
  half_way = [home for home in cells.iterdir() if _is_half_way(home)]
  begun = [h for h in cells.iterdir() if (h / "log.txt").exists()]
  assert 1 <= len(done) < 4 and half_way

  assert start(tmp_path).wait() == 0
  assert done == {path: path.read_bytes() for path in done}
  for home in half_way:
    said = (home / "log.txt").read_text()
    _, resumed = map(int, re.findall(r"from step (\d+);", said))
    assert resumed >= 20
  kept, again = (
    results.read_results(tmp_path / name / "results.json").rows
    for name in ("whole", "out")
  )
  assert len(kept) == 4
  for one, other in zip(kept, again, strict=True):
    assert one.right == other.right and one.steps == other.steps == 200
    assert one.target_tokens == other.target_tokens
    assert one.metrics == other.metrics
  # What an interrupted cell took nobody knows.
  unknown = [row.cpu_seconds for row in again].count(None)
  assert unknown == len(begun) - len(done)


def _is_half_way(home):
  return bool(steps_of(home)) and max(steps_of(home)) < 200


def test_ctrl_c_while_workers_start_leaves_no_process(tmp_path):
  process = start(tmp_path, stderr=subprocess.PIPE)
  while not process.stderr.readline().startswith("making the cache"):
    assert process.poll() is None
  wait_for(lambda: len(workers(process)) >= 2)
  children = workers(process)
  # As a terminal sends it: to all processes.
  os.killpg(process.pid, signal.SIGINT)
  _, said = process.communicate(timeout=60)
  assert process.returncode == 130
  *_, line = said.splitlines()
  assert line.startswith("stopped by Ctrl-C: 0 of 4 cells are done"), said
  assert "Traceback" not in said
  wait_for(lambda: not any(map(is_alive, children)), 10)


def is_alive(pid):
  try:
    state = pathlib.Path(f"/proc/{pid}/stat").read_text()
  except FileNotFoundError:
    return False
  return state.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.long
@pytest.mark.parametrize(
  ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_stopped_grid_has_saved_its_cells(number, code, tmp_path):
  cells = tmp_path / "out" / "cells"
  process = start(tmp_path, stderr=subprocess.PIPE)
  wait_for(lambda: list(cells.glob("*/model/checkpoint_*0")))
  children = workers(process)
  process.send_signal(number)
  _, said = process.communicate(timeout=120)
  assert process.returncode == code and "Traceback" not in said
  wait_for(lambda: not any(map(is_alive, children)), 10)
  logs = [path.read_text() for path in cells.glob("*/log.txt")]
  [saved] = re.findall(r"saved at step (\d+) in (\S+);", "".join(logs))[:1]
  assert pathlib.Path(saved[1]).is_dir()


MY_FAMILY = """
from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.examples import Example

class Colours:
  name = "colours"
  splits = ("train", "validation", "test")

  def examples(self, split):
    return [
      Example(f"{split}-{i}", f"{split} {i}", ("red", "green")[i % 2])
      for i in range(16)
    ]

registration.register_family(
  Colours(), answer_rule=TextAnswer(), prompt="few_shot_last_letters"
)
"""
MY_GRID = f"""
FAMILIES = ('colours',)
METHODS = ('finetune',)
MODELS = {{'tiny': 'mine.gin'}}
MACROS = {{'all': { ({**MACROS, "TRAIN_STEPS": 4})!r}}}
"""


@pytest.mark.long
def test_a_family_of_one_s_own_after_a_first_try_that_failed(tmp_path):
  (tmp_path / "my_colours.py").write_text(MY_FAMILY)
  (tmp_path / "grid.gin").write_text(MY_GRID)
  (tmp_path / "gin").mkdir()
  experiment = "include 'experiments/last_letters_tiny_finetune.gin'\n"
  (tmp_path / "gin" / "mine.gin").write_text(experiment)
  own = "--module=my_colours", f"--gin_search_paths={tmp_path}/gin"

  def run(*flags):
    process = start_compare(
      tmp_path,
      *(f"--gin_file={tmp_path}/grid.gin", "--jobs=1", *flags),
      path=[tmp_path],
      stderr=subprocess.PIPE,
    )
    _, said = process.communicate(timeout=600)
    return process.returncode, said

  code, said = run(own[1])
  assert code == errors.USER_ERROR_EXIT and "--module" in said
  long = "--gin.MACROS={'all': {'TASK_FEATURE_LENGTHS': {'inputs': 8,"
  code, said = run(*own, long + " 'targets': 2}}}")
  assert code == errors.USER_ERROR_EXIT and "TASK_FEATURE_LENGTHS" in said
  code, said = run(*own)
  assert code == 0, said
  [row] = results.read_results(tmp_path / "out" / "results.json").rows
  assert (row.task, row.steps, row.train_examples) == ("colours", 4, 16)
