"""Each of two hosts reads the half that its devices hold, and no more."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest
import tiny_networks

from distill.checkpoint_formats import huggingface, t5x

SCRIPT = pathlib.Path(__file__).parent / "two_hosts.py"


def free_port():
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    return str(listener.getsockname()[1])


@pytest.mark.parametrize("form", ["huggingface", "t5x"])
def test_a_host_reads_its_own_shards(tmp_path, form):
  config = tiny_networks.t5_config()
  checkpoint = tiny_networks.checkpoint(config)
  if form == "huggingface":
    huggingface.write(checkpoint, tmp_path, config.mlp_activations)
  else:
    t5x.write(checkpoint, tmp_path)
  path = os.pathsep.join(filter(None, sys.path))
  port = free_port()
  hosts = [
    subprocess.Popen(
      [sys.executable, SCRIPT, rank, port, tmp_path],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      env=os.environ | {"PYTHONPATH": path},
    )
    for rank in ("0", "1")
  ]
  for host in hosts:
    printed, said = host.communicate(timeout=300)
    assert host.returncode == 0, said
    counted = json.loads(printed.splitlines()[-1])
    assert counted["read"] == counted["half"] < 0.6 * counted["all"]
