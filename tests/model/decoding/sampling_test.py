"""Greedy decoding and sampling: frequencies, ends, and the cache."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model.decoding import greedy_decode, sample_decode
from distill.model.decoding.sampling import keep_top
from distill.model.encoder_decoder import EncoderDecoderModel

# pad never, then the end and three tokens; what follows does not matter.
PROBS = np.array([0.0, 0.4, 0.3, 0.2, 0.1])
TABLE = np.tile(PROBS, (5, 1))


def keys(rows, seed=0):
  return jax.vmap(jax.random.fold_in, (None, 0))(
    jax.random.key(seed), jnp.array(rows)
  )


def sample(toy, rows, length=1, table=TABLE, seed=0, **options):
  count = len(rows)
  return sample_decode(
    *(toy.steps(table), toy.cache(count, length), toy.none_empty(count)),
    *(length, keys(rows, seed)),
    **options,
  )


@pytest.mark.parametrize(
  ("options", "expected"),
  [
    ({}, PROBS),
    ({"temperature": 0.5}, PROBS**2 / np.sum(PROBS**2)),
    ({"top_k": 2}, np.array([0, 4, 3, 0, 0]) / 7),
    ({"top_p": 0.75}, np.array([0, 4, 3, 2, 0]) / 9),
  ],
)
def test_samples_have_the_probabilities_asked_for(toy, options, expected):
  count = 6000
  found = sample(toy, [5], num_decodes=count, **options)
  drawn = np.asarray(found.tokens)[0, :, 0]
  counts = np.bincount(drawn, minlength=5)
  assert not counts[expected == 0].any()
  possible = expected > 0
  wanted = count * expected[possible]
  chi_square = np.sum((counts[possible] - wanted) ** 2 / wanted)
  # The seed is fixed; a chi-square of 3 degrees exceeds 21.1 once in 10,000.
  assert chi_square < 21.1
  # Scores are the model's own, whatever the tokens were drawn by.
  np.testing.assert_allclose(found.scores[0], np.log(PROBS[drawn]), rtol=1e-4)
  assert np.all(np.diff(found.scores[0]) <= 0), "best first"


def test_cuts_by_hand():
  logits = jnp.log(jnp.array([[0.1, 0.4, 0.3, 0.2], [0.25, 0.25, 0.25, 0.25]]))

  def kept(**cut):
    top = keep_top(logits, **{"top_k": 0, "top_p": 0.0, **cut})
    return np.isfinite(top).astype(int).tolist()

  everything, tied = [1, 1, 1, 1], [1, 1, 1, 1]
  assert kept() == [everything, tied]
  assert kept(top_k=1) == [[0, 1, 0, 0], tied]
  assert kept(top_k=3) == [[0, 1, 1, 1], tied]
  assert kept(top_k=9) == [everything, tied]
  # The smallest set that reaches the probability.
  assert kept(top_p=0.39) == [[0, 1, 0, 0], tied]
  assert kept(top_p=0.41) == [[0, 1, 1, 0], tied]
  assert kept(top_p=0.95) == [everything, tied]


def test_a_seed_fixes_an_example_whatever_its_batch(toy):
  options = {"length": 6, "num_decodes": 3}
  whole = sample(toy, [0, 1, 2, 3], **options)
  part = sample(toy, [3, 1], **options)
  np.testing.assert_array_equal(part.tokens, whole.tokens[np.array([3, 1])])
  other = sample(toy, [0, 1, 2, 3], seed=1, **options)
  assert np.any(other.tokens != whole.tokens)
  first = np.asarray(whole.tokens)
  assert len({row.tobytes() for row in first.reshape(12, 6)}) > 6


def test_samples_stop_when_all_have_ended(toy):
  table = [[0, 1, 0], [0, 1, 0], [0, 0, 1]]
  found = sample(toy, [0, 1], length=40, table=table, num_decodes=4)
  assert found.steps == 1
  np.testing.assert_array_equal(found.tokens[:, :, 0], 1)
  assert not found.tokens[:, :, 1:].any()


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
