"""What tests of asking share: a server in its own process, and its counts."""

import contextlib
import json
import pathlib
import subprocess
import sys
import urllib.request

import pytest

SERVER = pathlib.Path(__file__).parent / "fault_server.py"


class Running:
  """A server that runs: its address, and what it served so far."""

  def __init__(self, url):
    self.url = url

  def stats(self):
    with urllib.request.urlopen(self.url) as reply:
      return json.load(reply)


@contextlib.contextmanager
def serve(*flags):
  process = subprocess.Popen(
    [sys.executable, str(SERVER), *flags],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    yield Running(process.stdout.readline().strip())
  finally:
    process.kill()
    process.communicate()


@pytest.fixture
def start_server():
  """Returns a function from the server's flags to a `Running`."""
  with contextlib.ExitStack() as stack:
    yield lambda *flags: stack.enter_context(serve(*flags))


@pytest.fixture
def server(start_server):
  return start_server()
