"""Stages are told on stderr; TensorFlow's notes are not, its errors are."""

import subprocess
import sys

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
  program = "from distill import startup; startup.import_tensorflow('JAX')"
  assert stderr_of(program) == ["importing TensorFlow and JAX …"]


def test_the_last_stage_of_a_log(capsys):
  console.say("reading the data of riddles")
  said = capsys.readouterr().err
  assert (
    console.last_stage(said + "step 3/4\n") == "reading the data of riddles"
  )
  assert console.last_stage("step 3/4\n") == ""
