"""What a user sees of a run on a terminal and in a log file."""

import io
import re

import pytest

from distill.training import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture(autouse=True)
def clock(monkeypatch):
  """A clock that stands still until a test moves it."""
  now = [1000.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  return now


def run(shown, clock, steps, seconds=1.0):
  for step in range(1, steps + 1):
    clock[0] += seconds
    shown.update(step, 2.5, 100)


def test_a_log_file_gets_a_line_each_tenth_of_the_run(clock):
  stream = io.StringIO()
  run(progress.Progress(0, 200, stream), clock, 200)
  lines = stream.getvalue().splitlines()
  assert len(lines) == 11
  assert lines[0] == "step 1/200  loss 2.5000  0 tokens/s  ETA ?"
  assert lines[5] == "step 100/200  loss 2.5000  100 tokens/s  ETA 0:02"
  assert lines[-1].endswith("ETA 0:00")


def test_slow_steps_are_shown_every_five_minutes(clock):
  stream = io.StringIO()
  run(progress.Progress(0, 100_000, stream), clock, 60, seconds=10.0)
  assert len(stream.getvalue().splitlines()) == 2
  assert re.search(r"ETA 2\d\d:\d\d$", stream.getvalue())


def test_a_terminal_has_one_line_that_is_drawn_anew(clock):
  stream = Terminal()
  shown = progress.Progress(0, 200, stream)
  run(shown, clock, 200)
  assert "\n" not in stream.getvalue()
  assert stream.getvalue().count("\r") == 200
  shown.say("step 200  validation")
  shown.say("done")
  assert stream.getvalue().endswith("\nstep 200  validation\ndone\n")


def test_a_terminal_is_not_drawn_faster_than_the_eye(clock):
  stream = Terminal()
  run(progress.Progress(0, 200, stream), clock, 100, seconds=0.01)
  assert stream.getvalue().count("\r") <= 6


def test_pauses_and_the_first_step_do_not_count_as_speed(clock):
  shown = progress.Progress(0, 10, None)
  clock[0] += 60
  shown.update(1, 1.0, 100)
  clock[0] += 2
  shown.update(2, 1.0, 100)
  with shown.paused():
    clock[0] += 600
  assert shown.tokens_per_second() == pytest.approx(50)


def test_the_loss_is_the_mean_since_the_line_before(clock):
  stream = io.StringIO()
  shown = progress.Progress(0, 20, stream)
  for step in range(1, 5):
    shown.update(step, float(step), 100)
  lines = [
    line.split("loss ")[1][:6] for line in stream.getvalue().splitlines()
  ]
  # At steps 1, 2 and 4.
  assert lines == ["1.0000", "2.0000", "3.5000"]


def test_the_time_left_has_the_evaluations_in_it(clock):
  stream = io.StringIO()
  shown = progress.Progress(0, 300, stream, eval_period=100)

  def line():
    return stream.getvalue().splitlines()[-1].split("ETA ")[1]

  run(shown, clock, 90)
  # 210 s of steps, as far as is known.
  assert line() == "0:04 + 3 evaluations"
  with shown.paused(evaluating=True):
    clock[0] += 600
  for step in range(91, 121):
    clock[0] += 1.0
    shown.update(step, 2.5, 100)
  # 180 s of steps and two evaluations, of steps 200 and 300.
  assert line() == "0:23"
