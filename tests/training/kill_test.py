"""Real processes, killed by real signals, end with the same parameters."""

import os
import random
import signal
import subprocess
import sys

import gin
import pytest
import tiny_run


def start(folder, *moment):
  """Runs the script; returns its exit code and what it printed."""
  script = os.path.abspath(tiny_run.__file__)
  done = subprocess.run(
    [sys.executable, script, str(folder), *map(str, moment)],
    capture_output=True,
    text=True,
    timeout=600,
    env=os.environ
    | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
  )
  assert done.returncode in (0, 130, 143, -signal.SIGKILL), done.stderr
  assert "Traceback" not in done.stderr
  if done.returncode in (130, 143):
    return done.returncode, done.stderr.splitlines()[-1]
  return done.returncode, done.stdout.strip()


def checkpoints(folder):
  return sorted(
    int(path.name.removeprefix("checkpoint_"))
    for path in folder.glob("checkpoint_*")
    if path.suffix == ""
  )


def test_killed_in_the_first_save_and_in_an_evaluation(whole, tmp_path):
  code, _ = start(tmp_path, "saving", 10)
  assert code == -signal.SIGKILL
  # Part of the checkpoint is there, under another name.
  assert not checkpoints(tmp_path) and list(tmp_path.glob("checkpoint_10.*"))
  code, _ = start(tmp_path, "evaluating", 20)
  assert code == -signal.SIGKILL
  assert checkpoints(tmp_path) == [10]
  code, printed = start(tmp_path)
  assert (code, printed) == (0, whole[1])
  assert checkpoints(tmp_path) == [10, 20, 30]


@pytest.mark.long
def test_ctrl_c_saves_and_a_second_one_does_not_wait(whole, tmp_path):
  code, said = start(tmp_path, "interrupt", 13)
  assert code == 130 and checkpoints(tmp_path) == [10, 13]
  assert said.startswith("stopped by Ctrl-C: saved at step 13 in ")
  assert f"{tmp_path}/checkpoint_13" in said
  code, said = start(tmp_path, "twice", 17)
  assert code == 130 and checkpoints(tmp_path) == [10, 13]
  assert said == "stopped by Ctrl-C: the newest checkpoint is kept"
  assert start(tmp_path) == (0, whole[1])


@pytest.mark.long
@pytest.mark.parametrize(
  "moments",
  [
    [("reading", 1), ("saving", 20), ("reading", 27)],
    [("reading", 10), ("reading", 11), ("evaluating", 10)],
    [("reading", 16), ("reading", 17), ("saving", 30)],
    [("term", 1), ("term", 13), ("reading", 14)],
  ],
  ids=str,
)
def test_killed_again_and_again(moments, whole, tmp_path):
  for moment, step in moments:
    code, _ = start(tmp_path, moment, step)
    if code == 0:  # it had passed that step already
      assert moment == "evaluating"
      break
    assert code == (143 if moment == "term" else -signal.SIGKILL)
    if moment == "term":
      assert step in checkpoints(tmp_path)
  code, printed = start(tmp_path)
  assert (code, printed) == (0, whole[1])


@pytest.fixture
def gin_is_cleared():
  yield
  gin.clear_config()


@pytest.mark.long
@pytest.mark.usefixtures("gin_is_cleared")
@pytest.mark.parametrize("sharing", tiny_run.SHARING)
def test_killed_while_targets_share_an_encoder_pass(sharing, tmp_path):
  batches = tiny_run.Batches(tiny_run.shared_config(sharing))
  state = tiny_run.run(tmp_path / "whole", batches=batches)
  code, _ = start(tmp_path / "killed", "reading", 24, sharing)
  assert code == -signal.SIGKILL
  # The save of step 20 waits for that of step 10, and may be cut itself.
  assert 10 in checkpoints(tmp_path / "killed")
  code, printed = start(tmp_path / "killed", "never", 0, sharing)
  assert (code, printed) == (0, tiny_run.digest(state.params))


@pytest.mark.long
def test_killed_at_random_steps(whole, tmp_path):
  steps = sorted(random.SystemRandom().sample(range(1, 31), 3))
  for step in steps:
    code, _ = start(tmp_path, "reading", step)
    assert code == -signal.SIGKILL, steps
  code, printed = start(tmp_path)
  assert (code, printed) == (0, whole[1]), steps
