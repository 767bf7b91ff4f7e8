"""The log of metrics: each step once, as means; the line on the terminal."""

import io
import json
import re

import jax.numpy as jnp
import pytest
import tensorflow as tf

from distill.training import metric_logging


def steps(folder):
  lines = (folder / metric_logging.FILE_NAME).read_text().splitlines()
  return [json.loads(line)["step"] for line in lines]


def test_lines_are_there_as_soon_as_they_are_written(tmp_path):
  logger = metric_logging.MetricLogger(str(tmp_path), 0)
  logger.write(1, {"loss": 2.5, "tokens": 7.0})
  line = (tmp_path / metric_logging.FILE_NAME).read_text()
  assert json.loads(line) == {"step": 1, "loss": 2.5, "tokens": 7.0}
  logger.close()
  assert list(tmp_path.glob("events.out.tfevents.*"))


def test_tensorboard_gets_texts(tmp_path):
  logger = metric_logging.MetricLogger(str(tmp_path), 0)
  logger.write_texts(7, {"toy_label": "| input |"})
  logger.close()
  [path] = tmp_path.glob("events.out.tfevents.*")
  found = {
    value.tag: (event.step, value.tensor.string_val[0].decode())
    for event in tf.compat.v1.train.summary_iterator(str(path))
    for value in event.summary.value
  }
  assert found == {"toy_label": (7, "| input |")}


def test_a_resumed_log_has_no_step_twice_and_no_torn_line(tmp_path):
  logger = metric_logging.MetricLogger(str(tmp_path), 0)
  for step in range(1, 8):
    logger.write(step, {"loss": 1.0})
  logger.close()
  with open(tmp_path / metric_logging.FILE_NAME, "a") as file:
    file.write('{"step": 8, "lo')
  # The checkpoint to resume from is of step 5.
  logger = metric_logging.MetricLogger(str(tmp_path), 5)
  assert steps(tmp_path) == [1, 2, 3, 4, 5]
  assert logger.last == {"step": 5, "loss": 1.0}
  logger.write(6, {"loss": 1.0})
  logger.close()
  assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]


def metrics(loss):
  names = ("input_tokens", "target_tokens", "tokens", "correct", "z_loss")
  values = {name: jnp.float32(4) for name in names}
  others = {"learning_rate": 0.1, "grad_norm": 1.0, "positions": 16.0}
  return (
    values
    | {k: jnp.float32(v) for k, v in others.items()}
    | {"loss": jnp.float32(loss)}
  )


def collector(folder, period=1):
  logger = metric_logging.MetricLogger(str(folder), 0)
  shown = metric_logging.Progress(0, 10, None)
  return logger, metric_logging.StepMetrics(logger, shown, period)


def test_a_step_is_read_when_the_next_is_in_flight(tmp_path):
  logger, collected = collector(tmp_path)
  collected.push(1, metrics(2.0))
  assert not logger.last
  collected.push(2, metrics(1.5))
  assert (logger.last["step"], logger.last["loss"]) == (1, 2.0)
  collected.flush()
  assert (logger.last["step"], logger.last["loss"]) == (2, 1.5)
  assert logger.last["padding"] == 0.5


def test_the_log_has_each_period_and_what_was_flushed(tmp_path):
  logger, collected = collector(tmp_path, period=3)
  for step in range(1, 8):
    collected.push(step, metrics(1.0))
  assert logger.last["step"] == 6
  collected.flush()
  assert logger.last["step"] == 7
  # Of all steps, logged or not.
  assert logger.last["target_tokens_total"] == 28


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_what_is_not_finite_is_raised_with_its_step(name, tmp_path):
  _, collected = collector(tmp_path)
  collected.push(4, metrics(1.0) | {name: jnp.float32(jnp.nan)})
  with pytest.raises(metric_logging.NonFiniteLossError) as caught:
    collected.flush()
  assert caught.value.step == 4


def test_a_line_has_the_means_of_its_period(tmp_path):
  """As T5X: losses by step, accuracy and losses of groups by token."""
  logger, collected = collector(tmp_path, period=2)
  rows = [
    {"loss": 4.0, "tokens": 10.0, "correct": 1.0, "target_tokens": 12.0},
    {"loss": 1.0, "tokens": 30.0, "correct": 9.0, "target_tokens": 36.0},
    {"loss": 7.0, "tokens": 10.0, "correct": 0.0, "target_tokens": 10.0},
  ]
  groups = [(2.0, 1.0), (30.0, 3.0), (5.0, 1.0)]
  for step, (row, (loss, tokens)) in enumerate(
    zip(rows, groups, strict=True), start=1
  ):
    row |= {"loss/1": loss, "tokens/1": tokens, "grad_norm": float(step)}
    collected.push(
      step, metrics(0.0) | {k: jnp.float32(v) for k, v in row.items()}
    )
  line = logger.last
  assert (line["step"], line["loss"], line["grad_norm"]) == (2, 2.5, 1.5)
  assert line["accuracy"] == 10 / 40
  assert line["loss/label"] == 32 / 4
  assert (line["target_tokens"], line["tokens"]) == (24, 28)
  collected.flush()
  # The period before is not in it.
  assert (logger.last["step"], logger.last["loss"]) == (3, 7.0)
  assert logger.last["accuracy"] == 0


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock(monkeypatch):
  """A clock that stands still until a test moves it."""
  now = [1000.0]
  monkeypatch.setattr(metric_logging.time, "monotonic", lambda: now[0])
  return now


def run(shown, clock, steps, seconds=1.0):
  for step in range(1, steps + 1):
    clock[0] += seconds
    shown.update(step, 2.5, 100)


def test_a_log_file_gets_a_line_each_tenth_of_the_run(clock):
  stream = io.StringIO()
  run(metric_logging.Progress(0, 200, stream), clock, 200)
  lines = stream.getvalue().splitlines()
  assert len(lines) == 11
  assert lines[0] == "step 1/200  loss 2.5000  0 tokens/s  ETA ?"
  assert lines[5] == "step 100/200  loss 2.5000  100 tokens/s  ETA 2m"
  assert lines[-1].endswith("ETA 0m")


def test_slow_steps_are_shown_every_five_minutes(clock):
  stream = io.StringIO()
  run(metric_logging.Progress(0, 100_000, stream), clock, 60, seconds=10.0)
  assert len(stream.getvalue().splitlines()) == 2
  assert re.search(r"ETA 2\d\dh\d\dm$", stream.getvalue())


def test_a_terminal_has_one_line_that_is_drawn_anew(clock):
  stream = Terminal()
  shown = metric_logging.Progress(0, 200, stream)
  run(shown, clock, 200)
  assert "\n" not in stream.getvalue()
  assert stream.getvalue().count("\r") == 200
  shown.say("step 200  validation")
  shown.say("done")
  assert stream.getvalue().endswith("\nstep 200  validation\ndone\n")


def test_a_terminal_is_not_drawn_faster_than_the_eye(clock):
  stream = Terminal()
  run(metric_logging.Progress(0, 200, stream), clock, 100, seconds=0.01)
  assert stream.getvalue().count("\r") <= 6


def test_pauses_and_the_first_step_do_not_count_as_speed(clock):
  shown = metric_logging.Progress(0, 10, None)
  clock[0] += 60
  shown.update(1, 1.0, 100)
  clock[0] += 2
  shown.update(2, 1.0, 100)
  with shown.paused():
    clock[0] += 600
  assert shown.tokens_per_second() == pytest.approx(50)


def test_the_loss_is_the_mean_since_the_line_before(clock):
  stream = io.StringIO()
  shown = metric_logging.Progress(0, 20, stream)
  for step in range(1, 5):
    shown.update(step, float(step), 100)
  lines = [
    line.split("loss ")[1][:6] for line in stream.getvalue().splitlines()
  ]
  # At steps 1, 2 and 4.
  assert lines == ["1.0000", "2.0000", "3.5000"]


def test_the_time_left_has_the_evaluations_in_it(clock):
  stream = io.StringIO()
  shown = metric_logging.Progress(0, 300, stream, eval_period=100)

  def line():
    return stream.getvalue().splitlines()[-1].split("ETA ")[1]

  run(shown, clock, 90)
  # 210 s of steps, as far as is known.
  assert line() == "4m + 3 evaluations"
  with shown.paused(evaluating=True):
    clock[0] += 600
  for step in range(91, 121):
    clock[0] += 1.0
    shown.update(step, 2.5, 100)
  # 180 s of steps and two evaluations, of steps 200 and 300.
  assert line() == "23m"
