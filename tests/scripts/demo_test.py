"""The demo's bookkeeping: who is compared with whom, what is kept."""

import importlib.util
import pathlib
import sys

import pytest

from distill import errors
from distill.evaluation import report

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo():
  spec = importlib.util.spec_from_file_location(
    "demo", ROOT / "scripts" / "demo.py"
  )
  module = importlib.util.module_from_spec(spec)
  sys.modules["demo"] = module  # dataclasses look their module up
  spec.loader.exec_module(module)
  yield module
  del sys.modules["demo"]


def row(method, tokens, seed=0, steps=1000):
  return report.Result(
    task="last_letters",
    method=method,
    train_examples=500,
    seed=seed,
    metric="accuracy",
    value=50.0,
    steps=steps,
    tokens=tokens,
    cpu_seconds=1.0,
  )


def test_every_method_has_its_experiment_file(demo):
  for method in demo.METHODS:
    file = demo.student(method, 0).experiment
    assert (ROOT / "gin_configs" / file).is_file()
  assert sorted(demo._BY_LENGTH) == sorted(demo.METHODS)


def test_every_student_is_tested_on_a_registered_task(demo):
  import seqio

  import tasks  # noqa: F401

  students = [demo.student(method, 0) for method in demo.METHODS]
  students += [demo.control(kind, 0) for kind in ("shuffled", "permuted")]
  for one in students:
    subtasks = seqio.get_subtasks(seqio.get_mixture_or_task(one.mixture))
    assert one.evaluated in {task.name for task in subtasks}


def test_equal_compute_takes_the_ratio_of_target_tokens_of_its_seed(demo):
  rows = [
    row("finetune", 10_000),
    row("step_by_step", 35_000),
    row("finetune", 1, seed=1),
    row("step_by_step", 1, seed=1),
  ]
  one = demo.equal_compute(0, rows)
  # 1,000 steps of 10 tokens; step-by-step had 35 a step.
  assert one.steps == 3500
  assert one.mixture == "last_letters_finetune"
  assert one.method != "finetune"


def test_a_result_is_kept_and_not_trained_again(demo, tmp_path, capsys):
  home = tmp_path / "students" / "finetune_3"
  home.mkdir(parents=True)
  kept = row("finetune", 7, seed=3)
  report.write_results([kept], str(home / "result.json"))
  runner = demo.Demo(tmp_path, jobs=1)
  assert runner.train_and_test(demo.student("finetune", 3)) == kept
  assert "kept from an earlier run" in capsys.readouterr().out


def test_a_command_that_fails_ends_the_demo_with_its_message(demo, tmp_path):
  runner = demo.Demo(tmp_path, jobs=1)
  with pytest.raises(errors.UserError) as caught:
    runner.command("teacher", "cache_rationales", "--task=last_lettres")
  assert "teacher" in caught.value.what
  assert "last_letters" in caught.value.found
  assert not (tmp_path / "data").exists()


def test_a_command_s_lines_are_headed_and_its_cpu_is_counted(
  demo, tmp_path, capsys
):
  seconds = demo.Demo(tmp_path, jobs=1).command("me", "train", "--help")
  assert 0 < seconds < 60
  lines = capsys.readouterr().out.splitlines()
  assert lines[0] == "me: $ distill train --help"
  assert len(lines) > 10 and all(line.startswith("me: ") for line in lines)
