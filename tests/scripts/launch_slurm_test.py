"""The SLURM example against stand-ins for `srun` and `scontrol`."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/launch_slurm.sbatch"
TINY = "--gin_file=experiments/last_letters_tiny_cot.gin"
NATIVE = ["native", "train", TINY, "--gin.MODEL_DIR=/disk/x y"]
T5X = [
  *("t5x", "train", "--gin_search_paths=gin_configs"),
  *("--gin_file=runs/finetune.gin", TINY, "--gin.MODEL_DIR='/disk/x y'"),
]
# Each writes a line to $CALLS; a cancelled job's SIGTERM reaches the batch
# shell, the stand-in's parent, too.
STAND_IN = """#!/usr/bin/env bash
printf '%s|' "${0##*/}" "$@" >> "$CALLS"; echo >> "$CALLS"
[ "${0##*/}" = srun ] || exit 0
[ -z "${CANCELLED:-}" ] || kill -TERM "$PPID"
exit "$CODE"
"""


@pytest.fixture
def submit(tmp_path):
  checkout = tmp_path / "checkout"
  (checkout / ".venv/bin").mkdir(parents=True)
  python = checkout / ".venv/bin/python"
  python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
  python.chmod(0o755)
  for name in ("distill", "gin_configs"):
    (checkout / name).symlink_to(SCRIPT.parents[1] / name)
  for name in ("srun", "scontrol", "sbatch"):
    (tmp_path / name).write_text(STAND_IN)
    (tmp_path / name).chmod(0o755)

  def run(*arguments, code=0, **environment):
    calls = tmp_path / "calls"
    calls.write_text("")
    job = {"SLURM_JOB_ID": "77", "CODE": str(code), "CALLS": str(calls)}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
      [SCRIPT, *arguments],
      cwd=checkout,
      env=os.environ | path | job | environment,
      capture_output=True,
      text=True,
      timeout=60,
    )
    run.said = done.stdout + done.stderr
    lines = calls.read_text().splitlines()
    return done.returncode, [line[:-1].split("|") for line in lines]

  return run


@pytest.mark.parametrize(
  ("arguments", "module"),
  [
    (NATIVE, ["distill.train"]),
    (T5X, ["distill.t5x_engine.start", "train"]),
  ],
)
def test_each_engine_runs_its_module_with_the_flags(submit, arguments, module):
  code, [[srun, _, python, *words]] = submit(*arguments)
  assert (code, srun, python) == (0, "srun", ".venv/bin/python")
  assert words == ["-m", *module, *arguments[2:]]


@pytest.mark.parametrize(
  ("code", "environment", "again"),
  [
    (143, {}, True),
    (143, {"SLURM_RESTART_COUNT": "99"}, True),
    (143, {"SLURM_RESTART_COUNT": "100"}, False),
    (143, {"CANCELLED": "yes"}, False),
    (2, {}, False),
    (0, {}, False),
  ],
)
def test_only_a_saved_job_is_queued_again(submit, code, environment, again):
  found, [_, *rest] = submit(*NATIVE, code=code, **environment)
  assert found == code
  assert rest == ([["scontrol", "requeue", "77"]] if again else [])


def test_an_unknown_engine_or_command_starts_nothing(submit):
  for arguments in ([], ["jax", "train"], ["native", "eval"], ["t5x", "infr"]):
    assert submit(*arguments) == (2, [])


def test_it_asks_for_one_task_for_each_gpu_and_time_to_save():
  options = dict(re.findall(r"#SBATCH --([\w-]+)=(\S+)", SCRIPT.read_text()))
  assert options["ntasks-per-node"] == options["gpus-per-node"]
  assert re.fullmatch(r"TERM@\d+", options["signal"])  # to tasks, not to bash


OUTSIDE = {"SLURM_JOB_ID": ""}


def test_outside_a_job_it_submits_itself_once_the_gin_files_are_right(submit):
  code, calls = submit("--nodes=4", "--time=1:00", *NATIVE, **OUTSIDE)
  assert (code, len(calls)) == (0, 1), submit.said
  assert calls[0] == [
    "sbatch",
    "--nodes=4",
    "--time=1:00",
    str(SCRIPT),
    *NATIVE,
  ]
  code, calls = submit("--nodes=4", "--dry_run", *NATIVE, **OUTSIDE)
  assert (code, calls) == (0, [])
  assert submit.said.startswith("sbatch --nodes=4 ")


@pytest.mark.parametrize("where", [OUTSIDE, {}])
@pytest.mark.parametrize(
  ("arguments", "complaint"),
  [
    ([*NATIVE, "--gin_file=nope.gin"], "no gin file 'nope.gin'"),
    (NATIVE[:-1], "no value: MODEL_DIR"),
    ([*NATIVE, "--gin.TRAIN_STEP=3"], "did you mean 'TRAIN_STEPS'?"),
    ([*T5X[:-1], "--gin.MODEL_DIR=/disk"], "quote text twice"),
  ],
)
def test_a_mistake_in_gin_is_found_before_any_node_is_asked_for(
  submit, arguments, complaint, where
):
  assert submit(*arguments, **where) == (2, [])
  assert complaint in submit.said
