"""The SLURM example against stand-ins for `srun` and `scontrol`."""

import os
import pathlib
import re
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/launch_slurm.sbatch"
NATIVE = ["native", "train", "--gin_file=x y.gin"]
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
  for name in ("srun", "scontrol"):
    (tmp_path / name).write_text(STAND_IN)
    (tmp_path / name).chmod(0o755)

  def run(*arguments, code=0, **environment):
    calls = tmp_path / "calls"
    calls.write_text("")
    job = {"SLURM_JOB_ID": "77", "CODE": str(code), "CALLS": str(calls)}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
      [SCRIPT, *arguments],
      env=os.environ | path | job | environment,
      capture_output=True,
      text=True,
      timeout=60,
    )
    lines = calls.read_text().splitlines()
    return done.returncode, [line[:-1].split("|") for line in lines]

  return run


@pytest.mark.parametrize(
  ("arguments", "module"),
  [
    (NATIVE, ["distill.train"]),
    (
      ["t5x", "eval", "--gin_file=x y.gin"],
      ["distill.t5x_engine.start", "eval"],
    ),
  ],
)
def test_each_engine_runs_its_module_with_the_flags(submit, arguments, module):
  code, [[srun, _, python, *words]] = submit(*arguments)
  assert (code, srun, python) == (0, "srun", ".venv/bin/python")
  assert words == ["-m", *module, "--gin_file=x y.gin"]


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
