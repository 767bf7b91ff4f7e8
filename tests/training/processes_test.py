"""Two real processes read the batches of one, and its checkpoints."""

import json
import os
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import tiny_processes


def free_port():
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    return listener.getsockname()[1]


def run_two(*arguments):
  """Runs both; returns exit codes and the hashes of the batches of each."""
  environment = os.environ | {
    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)
  }
  port = str(free_port())
  processes = [
    subprocess.Popen(
      [sys.executable, tiny_processes.__file__, rank, port, *arguments],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      env=environment,
    )
    for rank in ("0", "1")
  ]
  outputs = [process.communicate(timeout=300) for process in processes]
  codes = [process.returncode for process in processes]
  assert set(codes) <= {0, 143}, outputs
  return codes, [batches_in(printed) for printed, _ in outputs]


def batches_in(printed):
  lines = printed.splitlines()
  return [line.split()[1] for line in lines if line.startswith("batch ")]


def losses(folder):
  lines = (folder / "train" / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line)["loss"] for line in lines]


def test_a_run_of_one_process_goes_on_with_two(tmp_path, capsys):
  one, two = tmp_path / "one", tmp_path / "two"
  tiny_processes.run(one, steps=3)
  shutil.copytree(one, two)
  capsys.readouterr()
  tiny_processes.run(one, steps=6)
  expected = batches_in(capsys.readouterr().out)
  codes, batches = run_two(str(two), "6")
  assert codes == [0, 0]
  assert len(expected) == 3 and batches == [expected, expected]
  np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5)


@pytest.mark.long
def test_sigterm_to_one_process_stops_and_saves_both(tmp_path):
  codes, _ = run_two(str(tmp_path), "500", "13")
  assert codes == [143, 143]
  saved = [int(path.name[11:]) for path in tmp_path.glob("checkpoint_*")]
  assert 12 <= max(saved) < 100
