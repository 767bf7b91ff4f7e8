"""A signal ends a real process at once, with one line and no traceback."""

import signal
import subprocess
import sys
import time

import pytest

# Minutes in one C function, as a compilation is.
IN_C = """
from distill import interrupts
with interrupts.watched(interrupts.end):
  import hashlib
  print("ready", flush=True)
  hashlib.pbkdf2_hmac("sha256", b"x", b"y", 400_000_000)
"""
# A module whose import swallows exceptions of any kind.
SWALLOWED = """
import time
from distill import interrupts
with interrupts.watched(interrupts.end):
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
from distill import errors, interrupts
def main(argv):
  with interrupts.raised():
    try:
      print("ready", flush=True)
      time.sleep(60)
    except interrupts.Stopped as stopped:
      raise interrupts.Stopped(stopped.number, "all is saved") from None
sys.exit(errors.run_command(main, []))
"""


def stopped_by(number, program):
  """Returns exit code, output, stderr's lines and the seconds to the end."""
  process = subprocess.Popen(
    [sys.executable, "-c", program],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
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
