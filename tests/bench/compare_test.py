"""The comparison: its ratios by hand, and a real run of the smallest student.

The programs are real processes. T5X and PyTorch take part where they are.
"""

import os
import pathlib
import sys

import pytest

from distill import errors

BENCH = pathlib.Path(__file__).parents[2] / "bench"
WRONG = "raise SystemExit('error: no such task\\nfix:      name one')"
NAMES = ("compare", "processes", "measure")
# A program that is ready at once, and works for some CPU seconds a step.
PROGRAM = """
import sys
sys.path.insert(0, {bench!r})
import measure
def run(count):
  end = measure.cpu_seconds() + {seconds} * count
  while measure.cpu_seconds() < end:
    pass
print("a line of a library")
measure.serve(run)
"""


@pytest.fixture(scope="module")
def bench():
  sys.path.insert(0, str(BENCH))
  import compare
  import processes

  yield compare, processes
  sys.path.remove(str(BENCH))
  for name in NAMES:
    sys.modules.pop(name, None)


def command(seconds):
  text = PROGRAM.format(bench=str(BENCH), seconds=seconds)
  return [sys.executable, "-c", text]


def test_ratios_are_those_of_the_same_repetition(bench):
  compare, processes = bench
  # Repetitions at 1x and 2x load: 2 / 1 and 4 / 2, and then 4.5 / 1.5.
  costs = [
    processes.Cost("ours", [1.0, 2.0, 1.5], peak=0.5),
    processes.Cost("theirs", [2.0, 4.0, 4.5], peak=1.25),
    processes.Cost("absent", reason="no such module"),
  ]
  assert compare.table_rows("a step", costs) == [
    "| a step | ours | 1.50 | 1.00 to 2.00 | 1.00 | 3 | 0.50 |",
    "| a step | theirs | 4.00 | 2.00 to 4.50 | 2.00 | 3 | 1.25 |",
    "| a step | absent | not measured: no such module |  |  | 0 |  |",
  ]


def test_no_ratio_to_a_program_that_failed(bench):
  compare, processes = bench
  costs = [
    processes.Cost("ours", reason="out of memory"),
    processes.Cost("theirs", [2.0], peak=1.0),
  ]
  [_, row] = compare.table_rows("a step", costs)
  assert row == "| a step | theirs | 2.00 | 2.00 to 2.00 |  | 1 | 1.00 |"


def test_programs_work_in_turn_and_a_failed_one_says_why(bench):
  _, processes = bench
  programs = [
    processes.Program("slow", command(0.1)),
    processes.Program("quick", command(0.02)),
    processes.Program("broken", [sys.executable, "-c", "import no_such"]),
    processes.Program("none", reason="it was never written"),
  ]
  slow, quick, broken, none = processes.in_turn(programs, 2, 3, os.environ)
  assert (len(slow.seconds), len(quick.seconds)) == (3, 3)
  # A step, and not the two steps of a repetition.
  assert 0.1 <= min(slow.seconds) < 0.2
  assert min(quick.seconds) >= 0.02
  assert slow.peak > 0
  assert broken.reason == "ModuleNotFoundError: No module named 'no_such'"
  assert none.reason == "it was never written"
  assert not broken.seconds + none.seconds


def test_a_whole_command_costs_what_its_process_took(bench):
  _, processes = bench
  work = (
    "import time; end = time.process_time() + 0.3\n"
    "while time.process_time() < end: pass"
  )
  programs = [
    processes.Program("works", [sys.executable, "-c", work]),
    processes.Program("fails", [sys.executable, "-c", WRONG]),
  ]
  costs = [processes.Cost("works"), processes.Cost("fails")]
  for _ in range(2):
    processes.whole(programs, os.environ, costs)
  assert len(costs[0].seconds) == 2 and min(costs[0].seconds) >= 0.3
  assert (costs[1].seconds, costs[1].reason) == ([], "error: no such task")


def test_a_work_that_does_not_exist_is_named(bench):
  compare, _ = bench
  with pytest.raises(errors.UserError) as caught:
    compare.main(["--only=finetuning"])
  assert caught.value.found == "'finetuning'"
  assert "fine-tuning, label + rationale" in caught.value.expected


def test_the_tiny_student_is_compared(bench, monkeypatch, capsys):
  compare, _ = bench
  monkeypatch.setenv("XLA_FLAGS", os.environ["ONE_DEVICE_XLA_FLAGS"])
  compare.main(
    [
      *("--model=models/tiny_byte.gin", "--only=fine-tuning"),
      *("--steps=1", "--repetitions=1", "--examples=2"),
    ]
  )
  header, _, *rows = capsys.readouterr().out.strip().splitlines()
  names = [cell.strip() for cell in header.strip("|").split("|")]
  table = {}
  for row in rows:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    found = dict(zip(names, cells, strict=True))
    table[found["program"]] = found
  assert set(table) == {"distill", "T5X", "Hugging Face"}
  assert float(table["distill"]["CPU s"]) > 0
  for name, module in (("T5X", "t5x"), ("Hugging Face", "torch")):
    seconds = table[name]["CPU s"]
    missing = f"not measured: ModuleNotFoundError: No module named '{module}'"
    assert seconds == missing or float(seconds) > 0
