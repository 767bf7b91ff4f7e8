"""The compiled step against NumPy in float64, on any mesh, compiled once."""

import dataclasses
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


def token_shares(batch, normalization):
  """Returns each token's share of the loss by the paper's definition."""
  batch_groups = batch["decoder_loss_groups"]
  segments = batch.get("decoder_segment_ids", np.ones_like(batch_groups))
  sequences = {}  # group → sequence → its tokens
  for row, i in zip(*np.nonzero(batch["decoder_loss_weights"]), strict=True):
    name = (row, segments[row, i])
    tokens = sequences.setdefault(int(batch_groups[row, i]), {})
    tokens.setdefault(name, []).append((row, i))
  shares = np.zeros(batch_groups.shape)
  for group, members in sequences.items():
    count = sum(map(len, members.values()))
    for places in members.values():
      for place in places:
        shares[place] = WEIGHTS[group] / count
        if normalization == "sequence":
          shares[place] = WEIGHTS[group] / len(members) / len(places)
  return shares


def numpy_loss_and_gradients(params, batch, shares, pairs=False):
  """The weighted sum from its definition, one token at a time.

  Args:
    params: Of the linear model.
    batch: Its rows.
    shares: Of each token; with `pairs` yet without α.
    pairs: Whether rows 2i and 2i + 1 weigh α_i and 1 - α_i.
  """
  embedding, kernel = (np.float64(params[k]) for k in ("embedding", "kernel"))
  each, slopes = np.zeros(shares.shape), np.zeros((*shares.shape, VOCAB))
  for place in zip(*np.nonzero(shares), strict=True):
    logits = embedding[batch["decoder_input_tokens"][place]] @ kernel
    log_z = np.log(np.exp(logits).sum())
    softmax = np.exp(logits - log_z)
    target = np.arange(VOCAB) == batch["decoder_target_tokens"][place]
    if batch["decoder_loss_groups"][place] == 3:
      others = np.where(target, 0, softmax)
      each[place] = -np.log(others.sum())
      slopes[place] = softmax - others / others.sum()
    else:
      wanted = np.where(target, 1 - SMOOTHING, SMOOTHING / (VOCAB - 1))
      each[place] = (wanted * (np.log(wanted) - logits + log_z)).sum()
      slopes[place] = softmax - wanted
    each[place] += Z_LOSS * log_z**2
    slopes[place] += 2 * Z_LOSS * log_z * softmax
  if pairs:
    means = [row[row > 0].mean() if row.any() else 0 for row in each[::2]]
    alpha = np.clip(np.tanh(np.array(means) / 10), 0.2, 0.7)
    shares = shares * np.stack([alpha, 1 - alpha], 1).reshape(-1, 1)
  grads = [np.zeros_like(embedding), np.zeros_like(kernel)]
  for place in zip(*np.nonzero(shares), strict=True):
    token = batch["decoder_input_tokens"][place]
    grads[0][token] += kernel @ slopes[place] * shares[place]
    grads[1] += np.outer(embedding[token], slopes[place]) * shares[place]
  return (shares * each).sum(), {"embedding": grads[0], "kernel": grads[1]}


@pytest.mark.parametrize("microbatches", [1, 4])
@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(
  "packed, normalization",
  [(False, "token"), (True, "token"), (True, "sequence"), (False, "pairs")],
)
def test_loss_and_gradients_are_those_of_numpy(
  packed, normalization, count, microbatches
):
  batch = batch_of(packed)
  if pairs := normalization == "pairs":
    for rows in batch.values():
      rows[5] = rows[8:10] = 0  # no rationale, and no example
    batch["decoder_loss_groups"][::2] = 1
    batch["decoder_loss_groups"][1::2] = 2
    model = linear_model(per_example=True)
    weights = batch["decoder_loss_weights"]
    shares = weights / np.maximum(weights.sum(1, keepdims=True), 1)
    shares /= ROWS // 2 - 1
  else:
    model = linear_model(normalization)
    shares = token_shares(batch, normalization)
  # With this optimizer a step takes off the gradient itself.
  compiled, start, sharded, rng = build(
    model, optax.sgd(1.0), devices(count)(), batch, microbatches
  )
  before = jax.device_get(start.params)
  after, metrics = compiled(start, sharded, rng)
  loss, gradients = numpy_loss_and_gradients(before, batch, shares, pairs)
  assert float(metrics["loss"]) == pytest.approx(loss, rel=1e-5)
  for name in before:
    taken = before[name] - np.asarray(after.params[name])
    np.testing.assert_allclose(taken, gradients[name], rtol=1e-5, atol=1e-6)
  norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
  assert float(metrics["grad_norm"]) == pytest.approx(norm, rel=1e-5)


def test_the_weights_follow_the_step():
  batch = batch_of(packed=False)
  model = linear_model(final_group_weights=(0.0, 0.0, 0.0, 0.0), steps=4)
  compiled, current, sharded, rng = build(
    model, optax.sgd(0.0), devices(1)(), batch
  )
  losses = []
  for _ in range(6):
    current, metrics = compiled(current, sharded, rng)
    losses.append(float(metrics["loss"]))
  shares = np.array(losses) / losses[0]
  np.testing.assert_allclose(shares, [1, 0.75, 0.5, 0.25, 0, 0], atol=1e-6)


def t5_losses(partitioner, microbatches=1, model=None):
  """Three losses of a tiny T5 under AdamW, on packed rows."""
  model = model or t5_model()
  compiled, current, sharded, rng = build(
    model, optax.adamw(0.1), partitioner, batch_of(True), microbatches
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
    pytest.param({"data": 8}, 1, marks=pytest.mark.long),
    pytest.param({"data": 1, "fsdp": 8}, 1, marks=pytest.mark.long),
    ({"data": 2, "fsdp": 2, "model": 2}, 4),
  ],
)
def test_every_mesh_gives_the_losses_of_one_device(sizes, microbatches):
  losses = t5_losses(mesh.Partitioner(**sizes), microbatches)
  np.testing.assert_allclose(losses, one_device_losses(), rtol=1e-5)
  assert losses[2] < losses[0]


def test_remat_and_chunks_of_logits_on_a_mesh_give_the_losses_of_one_device():
  """Six targets in chunks of four; the vocabulary is split over `model`."""
  model = t5_model(remat_policy="full")
  model = dataclasses.replace(model, logits_chunk=4)
  partitioner = mesh.Partitioner(data=2, fsdp=2, model=2)
  losses = t5_losses(partitioner, 4, model)
  np.testing.assert_allclose(losses, one_device_losses(), rtol=1e-5)


def test_dropout_depends_only_on_the_step_and_the_microbatch():
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


def test_a_cpu_compiles_without_ynnpack_unless_xla_flags_name_it(monkeypatch):
  name = "xla_cpu_experimental_ynn_fusion_type"
  step.compiler_options.cache_clear()
  # None: this release of XLA has no such option, and the reason for it is gone.
  assert step.compiler_options() == {name: ""}
  monkeypatch.setenv("XLA_FLAGS", f"--{name}=LIBRARY_FUSION_TYPE_DOT")
  step.compiler_options.cache_clear()
  assert step.compiler_options() is None
  step.compiler_options.cache_clear()


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
  summary = step.summarize(step.read(metrics))
  assert "loss/rationale" not in summary
  assert "loss/unlikelihood" not in summary
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
