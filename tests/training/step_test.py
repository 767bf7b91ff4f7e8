"""The compiled step against NumPy in float64, on any mesh, compiled once."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_models import (
  LENGTH,
  ROWS,
  SMOOTHING,
  VOCAB,
  WEIGHTS,
  Z_LOSS,
  batch_of,
  devices,
  host_params,
  linear_model,
  t5_model,
)  # fmt: skip

from distill.training import mesh, state, step


def build(model, optimizer, partitioner, batch, num_microbatches=1):
  """Returns the compiled step, a state, the batch and a key on the mesh."""
  shapes = {name: rows.shape for name, rows in batch.items()}
  abstract = state.abstract_state(model, optimizer, partitioner, shapes)
  params = jax.device_put(
    host_params(model), state.shardings_of(abstract.params)
  )
  start = state.start(params, optimizer, abstract)
  sharded = partitioner.shard_batch(batch)
  rng = jax.device_put(jax.random.key(7), partitioner.replicated)
  compiled, seconds = step.compile_step(
    step.make_train_step(
      model, optimizer, lambda t: 0.1 * (t + 1), num_microbatches
    ),
    partitioner, start, sharded, rng,
  )  # fmt: skip
  assert seconds > 0
  return compiled, start, sharded, rng


def numpy_loss_and_gradients(params, batch, normalization):
  """The paper's loss from its definition, one token at a time."""
  embedding, kernel = (np.float64(params[k]) for k in ("embedding", "kernel"))
  batch_groups = batch["decoder_loss_groups"]
  segments = batch.get("decoder_segment_ids", np.ones_like(batch_groups))
  sequences = {}  # group → sequence → its tokens
  for row, i in zip(*np.nonzero(batch["decoder_loss_weights"]), strict=True):
    name = (row, segments[row, i])
    tokens = sequences.setdefault(int(batch_groups[row, i]), {})
    tokens.setdefault(name, []).append((row, i))
  loss, grads = 0.0, [np.zeros_like(embedding), np.zeros_like(kernel)]
  for group, members in sequences.items():
    count = sum(map(len, members.values()))
    for places in members.values():
      for place in places:
        weight = WEIGHTS[group] / count
        if normalization == "sequence":
          weight = WEIGHTS[group] / len(members) / len(places)
        x = embedding[batch["decoder_input_tokens"][place]]
        logits = x @ kernel
        log_z = np.log(np.exp(logits).sum())
        wanted = np.full(VOCAB, SMOOTHING / (VOCAB - 1))
        wanted[batch["decoder_target_tokens"][place]] = 1 - SMOOTHING
        cross_entropy = (wanted * (np.log(wanted) - logits + log_z)).sum()
        loss += weight * (cross_entropy + Z_LOSS * log_z**2)
        softmax = np.exp(logits - log_z)
        d = weight * (softmax - wanted + 2 * Z_LOSS * log_z * softmax)
        grads[0][batch["decoder_input_tokens"][place]] += kernel @ d
        grads[1] += np.outer(x, d)
  return loss, {"embedding": grads[0], "kernel": grads[1]}


@pytest.mark.parametrize("microbatches", [1, 4])
@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(
  "packed, normalization",
  [(False, "token"), (True, "token"), (True, "sequence")],
)
def test_loss_and_gradients_are_those_of_numpy(
  packed, normalization, count, microbatches
):
  batch = batch_of(packed)
  model = linear_model(normalization)
  # With this optimizer a step takes off the gradient itself.
  compiled, start, sharded, rng = build(
    model, optax.sgd(1.0), devices(count)(), batch, microbatches
  )
  before = jax.device_get(start.params)
  after, metrics = compiled(start, sharded, rng)
  loss, gradients = numpy_loss_and_gradients(before, batch, normalization)
  assert float(metrics["loss"]) == pytest.approx(loss, rel=1e-5)
  for name in before:
    taken = before[name] - np.asarray(after.params[name])
    np.testing.assert_allclose(taken, gradients[name], rtol=1e-5, atol=1e-6)
  norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
  assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-5)


def t5_losses(partitioner, microbatches=1):
  """Three losses of a tiny T5 under AdamW, on packed rows."""
  compiled, current, sharded, rng = build(
    t5_model(), optax.adamw(0.1), partitioner, batch_of(True), microbatches
  )
  losses = []
  for _ in range(3):
    current, metrics = compiled(current, sharded, rng)
    losses.append(float(metrics["loss"]))
  return losses


@functools.cache
def one_device_losses():
  return t5_losses(devices(1)())


@pytest.mark.parametrize(
  "sizes, microbatches",
  [
    ({"data": 8}, 1),
    ({"data": 1, "fsdp": 8}, 1),
    ({"data": 2, "fsdp": 2, "model": 2}, 4),
  ],
)
def test_every_mesh_gives_the_losses_of_one_device(sizes, microbatches):
  losses = t5_losses(mesh.Partitioner(**sizes), microbatches)
  np.testing.assert_allclose(losses, one_device_losses(), rtol=1e-5)
  assert losses[2] < losses[0]


def test_dropout_depends_on_the_step_and_the_microbatch_alone():
  batch = batch_of(packed=False)
  # All rows are one row, so that only dropout tells microbatches apart.
  batch = {k: np.tile(v[:1], (ROWS, 1)) for k, v in batch.items()}
  compiled, start, sharded, rng = build(
    linear_model(dropout_rate=0.5), optax.sgd(0.0), devices(1)(), batch, 4
  )
  first, metrics = compiled(jax.tree.map(jnp.copy, start), sharded, rng)
  _, again = compiled(start, sharded, rng)
  _, later = compiled(first, sharded, rng)
  assert float(metrics["loss"]) == float(again["loss"])
  assert float(metrics["loss"]) != float(later["loss"])


def test_the_step_compiles_once_and_consumes_its_state():
  compiles = []
  jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: compiles.append("backend_compile" in name)
  )
  batch = batch_of(packed=True)
  compiled, current, sharded, rng = build(
    linear_model(), optax.sgd(0.1), mesh.Partitioner(), batch
  )
  assert any(compiles), "the listener sees compilations"
  compiles.clear()
  first = current
  for seed in range(3):
    sharded = mesh.Partitioner().shard_batch(batch_of(True, seed))
    current, _ = compiled(current, sharded, rng)
  assert not any(compiles)
  assert int(current.step) == 3
  assert first.params["kernel"].is_deleted()


def test_under_the_transfer_guard_numpy_arguments_are_refused():
  batch = batch_of(packed=False)
  compiled, start, sharded, rng = build(
    linear_model(), optax.sgd(0.1), devices(1)(), batch
  )
  with jax.transfer_guard_host_to_device("disallow"):
    with pytest.raises(Exception, match="Disallowed host-to-device transfer"):
      compiled(start, batch, rng)
    after, _ = compiled(start, sharded, rng)
  assert int(after.step) == 1


def test_metrics_are_means_over_tokens_and_skip_absent_groups():
  batch = batch_of(packed=False)
  batch["decoder_loss_groups"] = batch["decoder_loss_weights"].copy()
  compiled, start, sharded, rng = build(
    linear_model(), optax.sgd(0.1), devices(1)(), batch
  )
  _, metrics = compiled(start, sharded, rng)
  summary = step.summarize(metrics)
  assert "loss/rationale" not in summary
  # Only label tokens: the loss is w_label times their mean.
  assert summary["loss"] == pytest.approx(0.7 * summary["loss/label"])
  tokens = sum(
    (batch[k] > 0).sum()
    for k in ("encoder_input_tokens", "decoder_target_tokens")
  )
  assert summary["tokens"] == tokens
  assert summary["padding"] == pytest.approx(1 - tokens / (2 * ROWS * LENGTH))
  assert summary["learning_rate"] == pytest.approx(0.1)
  assert 0 <= summary["accuracy"] <= 1 and summary["z_loss"] > 0
