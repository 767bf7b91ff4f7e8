"""What a checkpoint holds, which ones stay, and what does not fit."""

import contextlib
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_models

from distill import errors
from distill.checkpoint_formats import loading
from distill.training import checkpoints, mesh, state
from distill.training.checkpoints import BestMetric

SHAPES = {n: rows.shape for n, rows in tiny_models.batch_of(False).items()}
POSITION = {"batches": 3}


def train_state(partitioner=None, optimizer=None):
  """Returns an abstract state and a real one."""
  model = tiny_models.linear_model()
  optimizer = optimizer or optax.adam(0.1)
  abstract = state.abstract_state(
    model, optimizer, partitioner or mesh.Partitioner(), SHAPES
  )
  params = jax.device_put(
    tiny_models.host_params(model), state.shardings_of(abstract.params)
  )
  return abstract, state.start(params, optimizer, abstract)


def opened(folder, **config):
  config = checkpoints.CheckpointConfig(**config)
  return contextlib.closing(checkpoints.Checkpoints(folder, config))


def assert_equal(left, right):
  jax.tree.map(np.testing.assert_array_equal, left, right)


def names(folder):
  return sorted(path.name for path in folder.glob("checkpoint_*"))


def test_all_that_was_saved_comes_back_on_another_mesh(tmp_path):
  _, saved = train_state()
  best = BestMetric("accuracy", 0.5, 3, 3)
  with opened(tmp_path) as store:
    assert store.restore(saved) is None
    store.save(3, saved, POSITION, best)
  abstract, _ = train_state(mesh.Partitioner(fsdp=4))
  with opened(tmp_path) as store:
    restored, position, again = store.restore(abstract)
  assert (position, again) == (POSITION, best)
  assert_equal(restored, saved)
  kernel = restored.params["kernel"]
  assert kernel.sharding == abstract.params["kernel"].sharding
  assert type(restored.opt_state) is type(saved.opt_state)


def test_a_save_in_flight_is_not_changed_by_later_steps(tmp_path):
  abstract, current = train_state()
  # Large enough that writing it takes longer than a step.
  wide = jnp.arange(4_000_000, dtype=jnp.float32)
  current = current._replace(params={**current.params, "wide": wide})
  expected = jax.device_get(current.params)
  change = jax.jit(
    lambda state: jax.tree.map(lambda x: x * 2 + 1, state), donate_argnums=0
  )
  with opened(tmp_path) as store:
    store.save(1, current, POSITION, BestMetric())
    for _ in range(5):
      current = jax.block_until_ready(change(current))
  path = tmp_path / "checkpoint_1"
  assert_equal(params_of(path, expected_shapes(expected)), expected)


def params_of(path, abstract_params):
  params, _ = loading.load_params(
    loading.open_checkpoint(path), abstract_params
  )
  return params


def expected_shapes(params):
  sharding = mesh.Partitioner().replicated
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), params
  )


def test_the_newest_and_the_best_are_kept(tmp_path):
  _, current = train_state()
  best = BestMetric()
  with opened(tmp_path, keep=2) as store:
    for step, value in enumerate([0.1, 0.9, 0.3, 0.4, 0.2], start=1):
      best = best.after(step, {"t/accuracy": value}, "accuracy", "max")
      store.save(step, current, POSITION, best)
  assert names(tmp_path) == ["checkpoint_2", "checkpoint_4", "checkpoint_5"]
  assert loading.find_checkpoint(tmp_path).name == "checkpoint_2"


def test_a_half_written_checkpoint_is_none(tmp_path):
  abstract, current = train_state()
  with opened(tmp_path) as store:
    store.save(1, current, POSITION, BestMetric())
  torn = tmp_path / "checkpoint_2.orbax-checkpoint-tmp"
  torn.mkdir()
  assert loading.find_checkpoint(tmp_path).name == "checkpoint_1"
  with opened(tmp_path) as store:
    assert store.newest().endswith("checkpoint_1")
    store.save(2, current, POSITION, BestMetric())
  assert names(tmp_path) == ["checkpoint_1", "checkpoint_2"]


def files(folder):
  return {
    path: path.read_bytes() for path in folder.rglob("*") if path.is_file()
  }


def test_a_checkpoint_of_another_shape_is_an_error_and_stays_unchanged(
  tmp_path,
):
  abstract, current = train_state()
  with opened(tmp_path) as store:
    store.save(1, current, POSITION, BestMetric())
  before = files(tmp_path)
  wide = jax.ShapeDtypeStruct((8, 12), jnp.float32)
  other = abstract._replace(params={**abstract.params, "kernel": wide})
  with opened(tmp_path) as store:
    with pytest.raises(errors.UserError) as caught:
      store.restore(other)
    text = str(caught.value)
    assert "expected: params/kernel (8, 12)" in text
    assert "found:    params/kernel (8, 11)" in text
    abstract, _ = train_state(optimizer=optax.sgd(0.1))
    with pytest.raises(errors.UserError, match="opt_state/0/count absent"):
      store.restore(abstract)
  assert files(tmp_path) == before


def test_parameters_are_read_whatever_the_optimizer(tmp_path):
  _, current = train_state()
  with opened(tmp_path) as store:
    store.save(1, current, POSITION, BestMetric())
  abstract, _ = train_state(mesh.Partitioner(fsdp=2), optax.sgd(0.1))
  read = functools.partial(params_of, abstract_params=abstract.params)
  for path in (tmp_path, os.path.relpath(tmp_path / "checkpoint_1")):
    params = read(path)
    assert_equal(params, current.params)
    assert params["kernel"].sharding == abstract.params["kernel"].sharding
  for path, found in (
    (tmp_path / "checkpoint_9", "no such folder"),
    (tmp_path / "checkpoint_1" / "best", "no checkpoint in it"),
  ):
    with pytest.raises(errors.UserError, match=found):
      read(path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.UserError, match="MODEL_DIR.*cannot be written"):
    opened(tmp_path / "file" / "model")


def test_a_number_is_no_folder():
  with pytest.raises(errors.UserError, match="MODEL_DIR is not a path"):
    opened(123)


@pytest.mark.parametrize(
  "settings, macro",
  [
    ({"period": 0}, "SAVE_PERIOD"),
    ({"keep": 0}, "KEEP_CHECKPOINTS"),
    ({"best_mode": "most"}, "BEST_MODE"),
  ],
)
def test_settings_without_meaning_are_refused(settings, macro):
  with pytest.raises(errors.UserError, match=macro):
    checkpoints.CheckpointConfig(**settings)


def best_after(values, metric="accuracy", mode="max"):
  best = BestMetric()
  for step, value in enumerate(values, start=1):
    best = best.after(step, {"task/accuracy": value}, metric, mode)
  return best


def test_the_best_is_the_largest_or_the_smallest_and_the_later_of_equals():
  best = best_after([0.2, 0.5, 0.5, 0.1])
  assert (best.value, best.step, best.evaluated) == (0.5, 3, 4)
  best = best_after([0.2, 0.5, 0.1, 0.3], mode="min")
  assert (best.value, best.step, best.evaluated) == (0.1, 3, 4)


def test_a_value_that_is_not_finite_is_never_the_best():
  assert best_after([float("nan"), 0.3, float("inf")]).step == 2
  assert best_after([float("nan")]).step is None


def test_a_plain_name_is_the_mean_over_tasks_and_a_full_one_that_task():
  scores = {"a/accuracy": 0.2, "b/accuracy": 0.6, "b/exact_accuracy": 1.0}
  assert BestMetric().after(1, scores, "accuracy", "max").value == 0.4
  assert BestMetric().after(1, scores, "b/accuracy", "max").value == 0.6


def test_another_metric_begins_anew():
  best = best_after([0.9]).after(2, {"task/loss": 3.0}, "loss", "min")
  assert (best.metric, best.value, best.step) == ("loss", 3.0, 2)
  assert best.after(3, {}, None, "max") == BestMetric(evaluated=3)


def test_an_unknown_metric_is_named_with_those_there_are():
  with pytest.raises(errors.UserError, match="task/accuracy"):
    best_after([0.5], metric="bleu")
