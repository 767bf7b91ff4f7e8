"""A command's lines on stderr, and its end by a signal."""

import signal
import subprocess
import sys
import time

import pytest

from distill import console

WRITES = """
import os
from distill import console
with console.without_notes():
  os.write(2, b"WARNING: All log messages before absl::InitializeLog() is\\n")
  os.write(2, b"I0000 00:00:17 1 port.cc:153] oneDNN custom operations\\n")
  os.write(2, b"E0000 00:00:17 1 cuda_platform.cc:52] failed call to cuInit\\n")
  os.write(2, b"E0000 00:00:17 1 file.cc:7] the disk is full\\n")
  os.write(2, b"Traceback of something else\\n")
os.write(2, b"I0000 after it\\n")
"""


def stderr_of(program):
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True
  )
  return done.stderr.splitlines()


def test_notes_are_dropped_and_errors_kept():
  assert stderr_of(WRITES) == [
    "E0000 00:00:17 1 file.cc:7] the disk is full",
    "Traceback of something else",
    "I0000 after it",
  ]


def test_the_import_of_tensorflow_is_one_line():
  program = "from distill import console; console.import_tensorflow('JAX')"
  assert stderr_of(program) == ["importing TensorFlow and JAX …"]


def test_the_last_stage_of_a_log(capsys):
  console.say("reading the data of riddles")
  said = capsys.readouterr().err
  assert (
    console.last_stage(said + "step 3/4\n") == "reading the data of riddles"
  )
  assert console.last_stage("step 3/4\n") == ""


# Minutes in one C function, as a compilation is.
IN_C = """
from distill import console
with console.watch_signals(console.end_process):
  import hashlib
  print("ready", flush=True)
  hashlib.pbkdf2_hmac("sha256", b"x", b"y", 400_000_000)
"""
# A module whose import swallows exceptions of any kind.
SWALLOWED = """
import time
from distill import console
with console.watch_signals(console.end_process):
  try:
    print("ready", flush=True)
    time.sleep(60)
  except BaseException:
    time.sleep(60)
"""
COMMAND = """
import sys, time
from distill import errors
def main(argv):
  try:
    print("ready", flush=True)
    time.sleep(60)
  finally:
    print("tidied", flush=True)
sys.exit(errors.run_command(main, []))
"""
IN_ORDER = """
import sys, time
from distill import console, errors
def main(argv):
  with console.raise_signals():
    try:
      print("ready", flush=True)
      time.sleep(60)
    except console.Stopped as stopped:
      raise console.Stopped(stopped.number, "all is saved") from None
sys.exit(errors.run_command(main, []))
"""


def stopped_by(number, program):
  """Returns exit code, output, stderr's lines and the seconds to the end."""
  process = subprocess.Popen(
    [sys.executable, "-c", program],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    # A shell's background jobs ignore Ctrl-C, and would pass that on.
    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
  )
  assert process.stdout.readline() == "ready\n"
  begun = time.monotonic()
  process.send_signal(number)
  printed, said = process.communicate(timeout=60)
  seconds = time.monotonic() - begun
  return process.returncode, printed, said.splitlines(), seconds


@pytest.mark.parametrize(
  ("number", "code", "name"),
  [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")],
)
@pytest.mark.parametrize(
  "program", [IN_C, SWALLOWED], ids=["in C", "swallowed"]
)
def test_a_signal_ends_what_does_not_return_to_python(
  program, number, code, name
):
  found, _, lines, seconds = stopped_by(number, program)
  assert (found, lines) == (code, [f"stopped by {name}"])
  assert seconds < 10


def test_ctrl_c_lets_a_command_tidy_up_and_is_one_line():
  code, printed, lines, _ = stopped_by(signal.SIGINT, COMMAND)
  assert (code, printed, lines) == (130, "tidied\n", ["stopped by Ctrl-C"])


@pytest.mark.parametrize(
  ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_what_stops_in_order_says_so(number, code):
  found, _, lines, _ = stopped_by(number, IN_ORDER)
  assert found == code and len(lines) == 1
  assert lines[0].endswith(": all is saved")
