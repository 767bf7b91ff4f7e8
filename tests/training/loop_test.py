"""A run that is stopped and resumed is the run that never stopped."""

import json
import os
import signal

import jax.numpy as jnp
import pytest
import tiny_models
import tiny_run

from distill import errors
from distill.checkpoint_formats import loading
from distill.training import checkpoints, metric_logging

STEPS = tiny_run.STEPS


def checkpoint_names(folder):
  return sorted(path.name for path in folder.glob("checkpoint_*"))


def logged_steps(folder, name):
  path = folder / name / "metrics.jsonl"
  lines = path.read_text().splitlines() if path.exists() else []
  return [json.loads(line)["step"] for line in lines]


def best(folder):
  return checkpoints.read_json(
    loading.absolute(folder / f"checkpoint_{STEPS}"), checkpoints.BEST
  )


def terminate():
  os.kill(os.getpid(), signal.SIGTERM)


def test_the_newest_checkpoints_and_the_best_stay(whole):
  folder, _ = whole
  # The score of step 10 is the best; of step 20 it is 0.
  assert checkpoint_names(folder) == [
    f"checkpoint_{step}" for step in (10, 20, 30)
  ]
  assert best(folder)["step"] == 10
  assert best(folder)["evaluated"] == STEPS


def test_every_step_is_logged_once(whole):
  folder, _ = whole
  assert logged_steps(folder, "train") == list(range(1, STEPS + 1))
  assert logged_steps(folder, "validation") == [10, 20, 30]


def test_a_finished_run_is_left_as_it_is(whole):
  folder, digest = whole
  before = {path: path.stat().st_mtime for path in folder.glob("check*/**/*")}

  def evaluate(state, step):
    pytest.fail("evaluated again")

  state = tiny_run.run(folder, evaluate=evaluate)
  assert tiny_run.digest(state.params) == digest
  after = {path: path.stat().st_mtime for path in folder.glob("check*/**/*")}
  assert before == after


def test_sigterm_between_steps_saves_and_the_rest_is_the_same(
  whole, tmp_path, capsys
):
  batches = tiny_run.Batches(tiny_run.data_config())
  batches.moment = 13, signal.SIGTERM
  with pytest.raises(SystemExit) as stopped:
    tiny_run.run(tmp_path, batches=batches)
  assert stopped.value.code == 143
  assert "checkpoint_13" in checkpoint_names(tmp_path)
  lines = capsys.readouterr().err.splitlines()
  assert "saved at step 13" in lines[-1]
  assert any("tokens/s  ETA" in line for line in lines) and len(lines) < 20
  state = tiny_run.run(tmp_path)
  assert tiny_run.digest(state.params) == whole[1]
  assert logged_steps(tmp_path, "train") == list(range(1, STEPS + 1))


@pytest.mark.long
def test_sigterm_cuts_an_evaluation_short_which_is_made_up_for(whole, tmp_path):
  def evaluate(state, step):
    if step == 10:
      terminate()
      pytest.fail("the evaluation went on")
    return tiny_run.evaluate(state, step)

  with pytest.raises(SystemExit):
    tiny_run.run(tmp_path, evaluate=evaluate)
  assert checkpoint_names(tmp_path) == ["checkpoint_10"]
  assert not logged_steps(tmp_path, "validation")
  state = tiny_run.run(tmp_path)
  assert tiny_run.digest(state.params) == whole[1]
  assert logged_steps(tmp_path, "validation") == [10, 20, 30]
  assert best(tmp_path) == best(whole[0])


def run_linear(folder, **changes):
  model = tiny_models.linear_model(vocab_size=264)
  return tiny_run.run(folder, model=model, evaluate=None, **changes)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good(tmp_path):
  # The step after an infinite learning rate is the first bad one; it is
  # a step to save at, and must not be.
  with pytest.raises(errors.UserError) as caught:
    run_linear(
      tmp_path,
      learning_rate_fn=lambda step: jnp.where(step == 8, jnp.inf, 1e-3),
      checkpoint_cfg=checkpoints.CheckpointConfig(period=5),
    )
  text = str(caught.value)
  assert "step 10 is not finite" in text and "checkpoint_5 is kept" in text
  assert checkpoint_names(tmp_path) == ["checkpoint_5"]


def test_a_run_begins_with_the_parameters_of_another(tmp_path):
  first = run_linear(tmp_path / "first", total_steps=1)
  second = run_linear(
    tmp_path / "second",
    initial_checkpoint_path=str(tmp_path / "first"),
    learning_rate_fn=lambda step: 0.0,
    relative_steps=False,
    total_steps=2,
  )
  assert int(second.step) == 2
  assert tiny_run.digest(second.params) == tiny_run.digest(first.params)


class Plateau:
  """Evaluations of which those at 20 and 25 are only as good as that at 15."""

  scores = {5: 1.0, 10: 0.0, 15: 2.0, 20: 2.0, 25: 1.0, 30: 3.0}

  def __call__(self, state, step):
    return {"tiny/accuracy": self.scores[step]}


def run_until_patience(folder, **changes):
  kept = checkpoints.CheckpointConfig(period=30, best_metric="accuracy")
  given = {"evaluate": Plateau(), "eval_period": 5, "checkpoint_cfg": kept}
  return tiny_run.run(folder, **given | changes)


def test_patience_ends_a_run_that_no_longer_improves(tmp_path, capsys):
  state = run_until_patience(tmp_path / "whole", patience=2)
  assert int(state.step) == 25
  assert "no evaluation since step 15 was better" in capsys.readouterr().err
  # The best is the last of equals, and stays beside the newest.
  assert {"checkpoint_20", "checkpoint_25"} <= set(
    checkpoint_names(tmp_path / "whole")
  )
  # Resumed, it is done; with more patience, it goes on.
  again = run_until_patience(tmp_path / "whole", patience=2)
  assert tiny_run.digest(again.params) == tiny_run.digest(state.params)
  assert int(run_until_patience(tmp_path / "whole", patience=3).step) == 30


def test_patience_is_that_of_a_run_which_was_never_stopped(tmp_path):
  whole = run_until_patience(tmp_path / "whole", patience=2)
  batches = tiny_run.Batches(tiny_run.data_config())
  batches.moment = 18, signal.SIGTERM
  with pytest.raises(SystemExit):
    run_until_patience(tmp_path / "cut", patience=2, batches=batches)
  resumed = run_until_patience(tmp_path / "cut", patience=2)
  assert int(resumed.step) == 25
  assert tiny_run.digest(resumed.params) == tiny_run.digest(whole.params)


@pytest.mark.long
def test_patience_waits_for_the_least_number_of_steps(tmp_path):
  state = run_until_patience(tmp_path, patience=1, min_steps=22)
  assert int(state.step) == 25


class Recorder(metric_logging.ScalarWriter):
  """A user's own writer, which METRIC_WRITERS may name."""

  def __init__(self, model_dir):
    self.texts, self.scalars = {}, []

  def write_texts(self, step, texts):
    self.texts |= texts

  def write_scalars(self, step, scalars):
    self.scalars.append((step, scalars))


def test_writers_and_the_profiler_get_what_they_are_for(tmp_path, capsys):
  opened = []

  def open_writer(model_dir):
    assert model_dir == str(tmp_path)
    opened.append(Recorder(model_dir))
    return opened[0]

  tiny_run.run(
    tmp_path,
    model=tiny_models.linear_model(vocab_size=264),
    total_steps=4,
    evaluate=lambda state, step: {"tiny/accuracy": 1.0},
    metric_writers=[open_writer],
    profile_steps=2,
    config_text=lambda: "TRAIN_STEPS = 4\n",
  )
  [recorder] = opened
  steps = [
    step for step, scalars in recorder.scalars if "train/loss" in scalars
  ]
  assert steps == [1, 2, 3, 4]
  assert recorder.scalars[-1][1].keys() == {"validation/tiny/accuracy"}
  assert (tmp_path / "config.gin").read_text() == "TRAIN_STEPS = 4\n"
  table = (tmp_path / "parameters.txt").read_text()
  assert "kernel" in table
  assert recorder.texts.keys() == {"config.gin", "parameters.txt"}
  assert "parameters: " in capsys.readouterr().err
  # TensorBoard's profiler reads this folder.
  [trace] = (tmp_path / "train").glob("plugins/profile/*/*.xplane.pb")
  assert b"train" in trace.read_bytes()


def test_what_cannot_be_is_said_before_the_first_step(tmp_path):
  with pytest.raises(errors.UserError, match="cannot be divided evenly"):
    run_linear(tmp_path, num_microbatches=3)
  run_linear(tmp_path, total_steps=1)
  with pytest.raises(errors.UserError, match="checkpoint_1' is of another"):
    tiny_run.run(tmp_path)
