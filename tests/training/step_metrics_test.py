"""Metrics are read one step late, and bad ones end the run."""

import jax.numpy as jnp
import pytest

from distill.training import metric_logging, progress, step_metrics


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
  shown = progress.Progress(0, 10, None)
  return logger, step_metrics.StepMetrics(logger, shown, period)


def test_a_step_is_read_when_the_next_is_under_way(tmp_path):
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
  with pytest.raises(step_metrics.NonFiniteLossError) as caught:
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
