"""The dispatcher, as a user types it."""

import importlib.util
import subprocess
import sys

import pytest

from distill import cli, errors


def run(*argv):
  return subprocess.run(
    [sys.executable, "-m", "distill", *argv],
    capture_output=True,
    text=True,
    check=False,
  )


def test_help_lists_every_command():
  result = run("--help")
  assert result.returncode == 0
  for command in cli.COMMANDS:
    assert command in result.stdout


def test_unknown_command_names_the_known_ones():
  result = run("trian")
  assert result.returncode == errors.USER_ERROR_EXIT
  assert "trian" in result.stderr and "train" in result.stderr
  assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_a_module(command):
  assert importlib.util.find_spec(f"distill.{command}") is not None


def test_importing_the_package_and_the_teacher_is_light():
  code = (
    "import sys, distill, distill.cli, distill.teacher.registry;"
    "print([m for m in ('jax', 'tensorflow', 'seqio', 'numpy', 'matplotlib')"
    " if m in sys.modules])"
  )
  result = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert result.stdout.strip() == "[]"
