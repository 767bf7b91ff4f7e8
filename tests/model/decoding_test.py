"""Greedy decoding: when it stops, what it writes, and what its cache holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model.decoding import greedy_decode
from distill.model.encoder_decoder import EncoderDecoderModel

LENGTH = 9


def decode_script(script, is_empty=None):
  """Decodes a "model" whose most probable tokens are written down."""
  script = jnp.array(script)

  def decode_step(tokens, seen, position):
    seen = seen.at[:, position].set(tokens)
    return jax.nn.one_hot(script[:, position], 9), seen

  rows, length = script.shape
  if is_empty is None:
    is_empty = [False] * rows
  seen = jnp.full((rows, length), -1)
  found = greedy_decode(decode_step, seen, jnp.array(is_empty), length)
  # A one-hot row of logits: e in e + 8 for each token up to the end.
  emitted = (np.asarray(found.tokens) > 0).sum(-1)
  np.testing.assert_allclose(
    found.scores, emitted * np.log(np.e / (np.e + 8)), rtol=1e-6
  )
  return found.tokens[:, 0], found.steps


def test_decoding_pads_after_eos_and_stops_when_all_have_ended():
  tokens, steps = decode_script(
    [[5, 1, 7, 7, 7, 7], [5, 6, 7, 1, 8, 8], [1, 8, 8, 8, 8, 8]]
  )
  np.testing.assert_array_equal(
    tokens, [[5, 1, 0, 0, 0, 0], [5, 6, 7, 1, 0, 0], [1, 0, 0, 0, 0, 0]]
  )
  assert steps == 4


def test_decoding_ends_at_the_length_without_eos():
  tokens, steps = decode_script([[5, 6, 7], [1, 2, 3]])
  np.testing.assert_array_equal(tokens, [[5, 6, 7], [1, 0, 0]])
  assert steps == 3


def test_empty_rows_neither_decode_nor_hold_up_the_others():
  tokens, steps = decode_script([[5, 1, 2], [5, 6, 7]], [False, True])
  np.testing.assert_array_equal(tokens, [[5, 1, 0], [0, 0, 0]])
  assert steps == 2


def student(tiny_t5, variant="t5_1_1"):
  """A network whose answers depend on the inputs, and its parameters."""
  module, variables = tiny_t5.transformer(variant, spread=1.0)
  return EncoderDecoderModel(module, None, None), variables["params"]


@pytest.mark.parametrize("variant", ["t5_1_1", "t5_1_0"])
def test_the_cache_decodes_what_whole_forward_passes_do(tiny_t5, variant):
  model, params = student(tiny_t5, variant)
  batch = tiny_t5.batch([11, 3, 7, 1, 5, 9], [LENGTH] * 6, seed=3)
  inputs = batch["encoder_input_tokens"]
  forward = jax.jit(
    lambda params, tokens: model.module.apply(
      {"params": params},
      inputs,
      jnp.pad(tokens, ((0, 0), (1, 0)))[:, :-1],
      jnp.ones_like(tokens),
      enable_dropout=False,
    )
  )
  expected = np.zeros((6, LENGTH), np.int32)
  ended = np.zeros(6, bool)
  for i in range(LENGTH):
    best = np.argmax(forward(params, expected)[:, i], axis=-1)
    expected[:, i] = np.where(ended, 0, best)
    ended |= best == 1
  decoded = jax.jit(model.decode_batch)(params, batch).tokens[:, 0]
  np.testing.assert_array_equal(decoded, expected)
  assert len({tuple(row) for row in expected}) > 2, "the inputs must matter"


def test_a_step_projects_no_inputs(tiny_t5):
  model, params = student(tiny_t5)
  batch = tiny_t5.batch([11, 3], [LENGTH] * 2)
  jaxpr = jax.make_jaxpr(model.decode_batch)(params, batch).jaxpr
  (loop,) = [eqn for eqn in jaxpr.eqns if eqn.primitive.name == "while"]
  products = tiny_t5.count(loop.params["body_jaxpr"].jaxpr, "dot_general")
  # A layer has four own kernels, two to the inputs, three of the MLP, and two
  # products an attention; the logits are one more.
  assert products == 4 + 2 + 3 + 2 + 2 + 1


def test_rows_of_the_cache_can_be_repeated_and_gathered(tiny_t5):
  """As several samples of one encoder pass, or the beams of a search, do."""
  model, params = student(tiny_t5)
  batch = tiny_t5.batch([11, 3, 6], [LENGTH] * 3)
  rows = np.array([0, 0, 2, 1, 1, 1])

  @jax.jit
  def second_logits(params, inputs):
    def call(method, *args):
      return model.module.apply({"params": params}, *args, method=method)

    cache = call("start_decoding", inputs, LENGTH)
    start = jnp.zeros(len(inputs), jnp.int32)
    logits, cache = call("decode_step", start, cache, jnp.int32(0))
    best = jnp.argmax(logits, axis=-1)
    gathered = jax.tree.map(lambda leaf: leaf[rows], cache)
    alone, _ = call("decode_step", best, cache, jnp.int32(1))
    copies, _ = call("decode_step", best[rows], gathered, jnp.int32(1))
    return alone, copies

  alone, copies = second_logits(params, batch["encoder_input_tokens"])
  np.testing.assert_allclose(copies, alone[rows], atol=1e-5)
