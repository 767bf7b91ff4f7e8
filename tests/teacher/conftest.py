"""What tests of asking share: a server in its own process, and its counts."""

import contextlib
import json
import pathlib
import subprocess
import sys
import urllib.request

import pytest

from distill import errors
from distill.commands import cache_ask

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


@pytest.fixture
def key():
  return "sk-NeverToBeSeen0123456789"


@pytest.fixture
def run(server, tmp_path, monkeypatch, capsys, key):
  """Returns a function from flags to the command's exit code and output."""
  monkeypatch.setenv("TEACHER_KEY", key)

  # The server answers with numbers, which no coin flip does.
  def run(*flags, model="steady", unread=("--allow_unread",)):
    given = {
      "task": "coin_flip",
      "split": "test",
      "teacher": "openai",
      "model": model,
      "base_url": server.url,
      "api_key_env": "TEACHER_KEY",
      "output_dir": tmp_path / "cache",
    }
    argv = [f"--{name}={value}" for name, value in given.items()]
    argv += [*unread, *flags]
    code = errors.run_command(cache_ask.main, argv)
    captured = capsys.readouterr()
    return code, captured.out + captured.err

  return run
