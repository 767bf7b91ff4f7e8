"""Real processes find each other, as flags or a scheduler's variables say."""

import os
import socket
import subprocess
import sys

import pytest

from distill import errors, multihost

JOIN_TWICE = """
from distill import multihost
joined = multihost.join(), multihost.join()
import jax
jax.config.update("jax_platforms", "cpu")
print(*joined, jax.process_index(), jax.process_count(), jax.device_count())
"""
PREFIXES = ("JAX_", "SLURM_", "TPU_", "XLA_")


def start(code, **variables):
  clean = {k: v for k, v in os.environ.items() if not k.startswith(PREFIXES)}
  return subprocess.Popen(
    [sys.executable, "-c", code],
    env=clean | {"PYTHONPATH": os.getcwd()} | variables,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def free_port():
  """Returns a port among those that JAX makes of a SLURM job's number."""
  for port in range(61440, 65536):
    with socket.socket() as listener:
      if listener.connect_ex(("127.0.0.1", port)):
        return port
  pytest.skip("no free port from 61440 on")


def variables_of(scheduler, port, index):
  if scheduler == "exported":
    values = f"127.0.0.1:{port}", "2", str(index)
    return dict(zip(multihost.VARIABLES, values, strict=True))
  if scheduler == "slurm":
    return {
      "SLURM_JOB_ID": str(4096 * 7 + port - 61440),
      "SLURM_STEP_NODELIST": "localhost",
      "SLURM_NTASKS": "2",
      "SLURM_PROCID": str(index),
      "SLURM_LOCALID": str(index),
    }
  return {
    "TPU_WORKER_HOSTNAMES": "localhost",  # two slices of one host each
    "TPU_WORKER_ID": "0",
    "MEGASCALE_COORDINATOR_ADDRESS": "localhost",
    "MEGASCALE_NUM_SLICES": "2",
    "MEGASCALE_SLICE_ID": str(index),
    "JAX_COORDINATOR_PORT": str(port),
    "JAX_FORCE_TPU_INIT": "1",  # where JAX would look for chips
  }


@pytest.mark.parametrize(
  "scheduler",
  ["exported", "slurm", pytest.param("slices", marks=pytest.mark.long)],
)
def test_two_processes_join_each_other(scheduler):
  port = free_port()
  pair = [
    start(JOIN_TWICE, **variables_of(scheduler, port, index))
    for index in (0, 1)
  ]
  outputs = [process.communicate(timeout=120) for process in pair]
  for index, (printed, complaint) in enumerate(outputs):
    assert f"True True {index} 2 2\n" in printed, complaint


@pytest.mark.parametrize(
  "variables",
  [
    {},
    {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"},  # sbatch without srun
    {"SLURM_STEP_NODELIST": "here", "SLURM_NTASKS": "1"},
    {"TPU_WORKER_HOSTNAMES": "a,b", "JAX_PLATFORMS": "cpu"},
  ],
)
def test_a_lone_process_waits_for_nobody_and_needs_no_jax(variables):
  code = (
    "import sys; from distill import multihost;"
    "print(multihost.join(), 'jax' in sys.modules)"
  )
  printed, complaint = start(code, **variables).communicate(timeout=60)
  assert printed.split() == ["False", "False"], complaint


@pytest.mark.parametrize(
  ("given", "found"),
  [
    (("here:1", None, None), "no --process_count, --process_index"),
    (("here:1", 2, 2), "--process_index=2"),
    (("here:1", 2, -1), "--process_index=-1"),
  ],
)
def test_settings_that_do_not_fit_are_named(given, found):
  with pytest.raises(errors.UserError) as caught:
    multihost.join(*given)
  assert found in caught.value.found


def test_wrong_variables_are_named(monkeypatch):
  for name, value in zip(multihost.VARIABLES, ("h:1", "x", "0"), strict=True):
    monkeypatch.setenv(name, value)
  with pytest.raises(errors.UserError, match="JAX_NUM_PROCESSES=x"):
    multihost.join()
