"""The model's functions fit together as the trainer uses them."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from distill.errors import UserError
from distill.model import losses
from distill.model.encoder_decoder import EncoderDecoderModel
from distill.model.objective import Objective


@pytest.fixture
def student(tiny_t5):
  module, variables = tiny_t5.transformer()
  model = EncoderDecoderModel(
    module,
    input_vocabulary=None,
    output_vocabulary=None,
    z_loss=0.01,
    label_smoothing=0.1,
    objective=Objective((1.0, 0.25, 0.75)),
  )
  batch = tiny_t5.batch([5, 7, 2, 6], [6, 3, 1, 5])
  groups = np.array([[1], [2], [1], [2]]) * batch["decoder_loss_weights"]
  return model, variables["params"], {**batch, "decoder_loss_groups": groups}


def part(rows, arrays):
  return jax.tree.map(lambda x: x[rows], arrays)


def test_loss_and_gradients_add_up_over_microbatches(student):
  model, params, batch = student
  coefficients = model.coefficients(batch)
  step = jax.jit(
    jax.value_and_grad(
      lambda p, b, c: model.loss_fn(p, b, c, None), has_aux=True
    )
  )
  whole = step(params, batch, coefficients)
  # Each half has the mean of other numbers of tokens than the whole.
  halves = [
    step(params, part(rows, batch), coefficients[rows])
    for rows in (slice(0, 2), slice(2, 4))
  ]
  jax.tree.map(
    lambda a, b, c: np.testing.assert_allclose(a, b + c, rtol=1e-5, atol=1e-6),
    whole,
    *halves,
  )
  (loss, sums), _ = whole
  means = [float(sums[f"loss/{g}"] / sums[f"tokens/{g}"]) for g in (1, 2)]
  np.testing.assert_allclose(loss, 0.25 * means[0] + 0.75 * means[1], rtol=1e-5)


def test_the_loss_is_that_of_the_networks_logits(student):
  model, params, batch = student
  targets = batch["decoder_target_tokens"]

  @jax.jit
  def both(params, batch):
    tokens = {name: batch[name] for name in batch if name.endswith("tokens")}
    logits = model.module.apply(
      {"params": params}, **tokens, enable_dropout=False
    )
    ones = jnp.ones(targets.shape)
    return logits, model.loss_fn(params, batch, ones, None)

  logits, (loss, sums) = both(params, batch)
  each, z = losses.token_losses(logits, targets, 0.01, 0.1)
  np.testing.assert_allclose(loss, each.sum(), rtol=1e-5)
  real = targets > 0
  np.testing.assert_allclose(sums["z_loss"], (z * real).sum(), rtol=1e-5)
  hits = (np.argmax(logits, -1) == targets) & real
  assert sums["correct"] == hits.sum()


def gradients(model, params, batch, key=None):
  """Returns loss, sums, gradients, and the scores of the rows."""
  weights = model.coefficients(batch)

  @jax.jit
  def both(params):
    found = jax.value_and_grad(model.loss_fn, has_aux=True)(
      params, batch, weights, key
    )
    return found, model.score_batch(params, batch)

  return both(params)


SHARED = {
  "encoder_segment_ids": [[1] * 4 + [2] * 3],
  "decoder_segment_ids": [[1, 1, 2, 2, 3, 3]],
  "decoder_example_ids": [[1, 1, 1, 1, 2, 2]],
}


@pytest.mark.parametrize(
  ("variant", "objective", "smoothing", "chunk"),
  [
    ("t5_1_1", Objective((1.0, 0.25, 0.75)), 0.1, 4),
    pytest.param(
      *("t5_1_0", Objective((1.0, 0.2, 0.3, 0.5), "sequence"), 0.0, 1),
      marks=pytest.mark.long,
    ),
    pytest.param(
      *("t5_1_1", Objective(per_example=True), 0.1, 2), marks=pytest.mark.long
    ),
    ("shared", Objective((1.0, 0.25, 0.75)), 0.1, 5),
  ],
)
def test_logits_in_chunks_give_loss_sums_and_gradients_of_the_whole(
  tiny_t5, variant, objective, smoothing, chunk
):
  """Six targets a row; with dropout, which chunks must not draw anew."""
  shared = variant == "shared"
  module, variables = tiny_t5.transformer(
    "t5_1_1" if shared else variant, dropout_rate=0.3
  )
  batch = tiny_t5.batch([5, 7, 2, 6], [6, 3, 1, 5])
  groups = np.array([[1], [2], [1], [3]]) * batch["decoder_loss_weights"]
  batch["decoder_loss_groups"] = groups
  if shared:
    batch |= {n: np.tile(ids, (4, 1)) for n, ids in SHARED.items()}
  model = EncoderDecoderModel(*(module, None, None, 0.01, smoothing, objective))
  whole, found = (
    gradients(m, variables["params"], batch, jax.random.key(3))
    for m in (model, dataclasses.replace(model, logits_chunk=chunk))
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-5, atol=1e-6 * np.abs(b).max()
    ),
    found,
    whole,
  )


def shapes_within(jaxpr):
  """Yields the shape of every array that a jaxpr makes, at any depth."""
  for eqn in jaxpr.eqns:
    yield from (variable.aval.shape for variable in eqn.outvars)
    for value in jax.tree.leaves(
      list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "eqns")
    ):
      inner = getattr(value, "jaxpr", value)
      if hasattr(inner, "eqns"):
        yield from shapes_within(inner)


def test_logits_in_chunks_are_never_whole(tiny_t5):
  module, variables = tiny_t5.transformer(vocab_size=1000)
  batch = tiny_t5.batch([5, 7], [6, 3], vocab_size=1000)

  def most_logits(chunk):
    """Returns the greatest number of positions that any array has logits of."""
    model = EncoderDecoderModel(module, None, None, logits_chunk=chunk)
    step = jax.value_and_grad(model.loss_fn, has_aux=True)
    jaxpr = jax.make_jaxpr(lambda p: step(p, batch, np.ones((2, 6)), None))(
      variables["params"]
    )
    return max(
      math.prod(shape) // 1000
      for shape in shapes_within(jaxpr.jaxpr)
      if 1000 in shape and 12 not in shape  # weights have the width, 12
    )

  assert most_logits(None) == 2 * 6
  assert most_logits(2) == 2 * 2


@pytest.mark.parametrize("chunk", [0, 2.5])
def test_a_chunk_of_no_positions_is_refused(student, chunk):
  with pytest.raises(UserError, match="LOGITS_CHUNK"):
    dataclasses.replace(student[0], logits_chunk=chunk)


def test_packed_and_unpacked_batches_have_the_same_loss(student, tiny_t5):
  """The same examples, one a row or two a row, with padding behind."""
  model, params, batch = student

  def pack(feature, value=lambda tokens, i: tokens):
    pieces = [
      value(row[: max(np.flatnonzero(row), default=-1) + 1], i)
      for i, row in enumerate(batch[feature])
    ]
    rows = [np.concatenate(pieces[i : i + 2]) for i in (0, 2)]
    return np.stack([np.pad(row, (0, 14 - len(row))) for row in rows])

  def segment(tokens, i):
    return np.full(len(tokens), i % 2 + 1)

  targets = pack("decoder_target_tokens")
  starts = np.diff(pack("decoder_target_tokens", segment), prepend=0, axis=1)
  packed = {
    "encoder_input_tokens": pack("encoder_input_tokens"),
    "encoder_segment_ids": pack("encoder_input_tokens", segment),
    "decoder_segment_ids": pack("decoder_target_tokens", segment),
    "decoder_target_tokens": targets,
    "decoder_input_tokens": np.pad(targets, ((0, 0), (1, 0)))[:, :-1]
    * (starts == 0),
    "decoder_loss_weights": (targets > 0).astype(np.int32),
    "decoder_loss_groups": pack("decoder_loss_groups"),
  }
  objective = Objective((1.0, 0.25, 0.75), "sequence")
  model = dataclasses.replace(model, objective=objective)
  loss = jax.jit(lambda p, b: model.loss_fn(p, b, model.coefficients(b), None))
  np.testing.assert_allclose(
    loss(params, packed)[0], loss(params, batch)[0], rtol=1e-5
  )


def test_init_gives_boxed_float32_parameters_for_any_batch(student):
  model, params, batch = student
  shapes = {name: rows.shape for name, rows in batch.items()}
  variables = jax.eval_shape(
    lambda key: model.init(key, shapes), jax.random.key(0)
  )
  kernel = variables["params"]["decoder"]["logits_dense"]["kernel"]
  assert kernel.names == ("embed", "vocab")
  found = jax.tree.map(lambda x: (x.shape, x.dtype), nn.unbox(variables))
  assert found["params"] == jax.tree.map(lambda x: (x.shape, x.dtype), params)


def test_predictions_have_the_targets_length_and_skip_empty_rows(student):
  model, params, batch = student
  empty = {**batch, "encoder_input_tokens": batch["encoder_input_tokens"] * 0}
  decode = jax.jit(model.decode_batch)
  found = decode(params, batch)
  assert found.tokens[:, 0].shape == batch["decoder_target_tokens"].shape
  assert found.steps > 0
  found = decode(params, empty)
  assert not found.tokens.any()
  assert found.steps == 0


def test_a_smoothing_of_1_is_refused(student):
  with pytest.raises(UserError, match=r"1\.0"):
    dataclasses.replace(student[0], label_smoothing=1.0)
