"""Beam search on tables small enough to search by hand, or wholly."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model.decoding import beam_decode

# Rows: the last token; columns: pad (never), end, a = 2, b = 3. Greedy takes a
# first, and then can only split its probability.
TABLE = [
  [0.0, 0.05, 0.5, 0.45],
  [0.0, 1.0, 0.0, 0.0],
  [0.0, 0.4, 0.3, 0.3],
  [0.0, 0.9, 0.05, 0.05],
]


def search(toy, table, length, rows=1, empty=None, **options):
  empty = toy.none_empty(rows) if empty is None else jnp.array(empty)
  return beam_decode(
    *(toy.steps(table), toy.cache(rows, length), empty, length), **options
  )


def test_the_better_sentence_starts_with_the_worse_token(toy):
  found = search(toy, TABLE, 4, num_decodes=2, alpha=0.0)
  np.testing.assert_array_equal(found.tokens, [[[3, 1, 0, 0], [2, 1, 0, 0]]])
  wanted = np.log([[0.45 * 0.9, 0.5 * 0.4]])
  np.testing.assert_allclose(found.scores, wanted, rtol=1e-5)


def test_scores_are_divided_by_the_brevity_penalty(toy):
  found = search(toy, TABLE, 4, num_decodes=2, alpha=0.6)
  # Ends count as tokens: ((5 + 2) / 6)^0.6.
  wanted = np.log([[0.45 * 0.9, 0.5 * 0.4]]) / (7 / 6) ** 0.6
  np.testing.assert_allclose(found.scores, wanted, rtol=1e-5)


def test_the_penalty_lengthens(toy):
  """P(end) = 0.1 and P(a end) = 0.08: with alpha 1, 'a' wins by 7/6."""
  table = [
    [0.0, 0.1, 0.1, 0.8],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.8, 0.1, 0.1],
    [0.0, 1e-9, 1e-9, 1.0],
  ]
  best = {
    alpha: search(toy, table, 3, num_decodes=3, alpha=alpha).tokens[0, 0, 0]
    for alpha in (0.0, 1.0)
  }
  assert best == {0.0: 1, 1.0: 2}


def test_it_stops_when_no_live_beam_can_overtake(toy):
  # Both places are taken after two steps, and beams only lose: alpha 0.
  assert search(toy, TABLE, 50, num_decodes=2, alpha=0.0).steps == 2
  # The penalty of 50 tokens, if ever they were, could make up for more steps.
  assert 2 < search(toy, TABLE, 50, num_decodes=2, alpha=0.6).steps < 50


def test_live_beams_come_back_where_nothing_ends(toy):
  table = np.tile([0.0, 0.1, 0.6, 0.3], (4, 1))
  found = search(toy, table, 2, num_decodes=1, alpha=0.6)
  np.testing.assert_array_equal(found.tokens[0, 0], [2, 2])
  np.testing.assert_allclose(found.scores[0, 0], 2 * np.log(0.6), rtol=1e-5)


def test_empty_rows_are_padding_and_hold_up_no_others(toy):
  alone = search(toy, TABLE, 50, num_decodes=2)
  found = search(toy, TABLE, 50, rows=2, empty=[True, False], num_decodes=2)
  np.testing.assert_array_equal(found.tokens[1], alone.tokens[0])
  assert not found.tokens[0].any()
  assert found.steps == alone.steps


def test_the_two_schools_differ_in_late_ends_and_full_beams(toy):
  """With one beam of one token: 'end' is second best, so never of the beam."""
  table = np.tile([0.0, 0.3, 0.5, 0.2], (4, 1))
  ours = search(toy, table, 3, num_decodes=1, alpha=0.0)
  np.testing.assert_array_equal(ours.tokens, [[[1, 0, 0]]])
  theirs = search(
    *(toy, table, 3), num_decodes=1, alpha=0.0, as_hugging_face=True
  )
  np.testing.assert_array_equal(theirs.tokens, [[[2, 2, 2]]])
  np.testing.assert_allclose(theirs.scores, [[3 * np.log(0.5)]], rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_wide_beams_find_the_best_of_all_sentences(toy, alpha):
  """Against an exhaustive search, whose step depends on the whole past."""
  rng = np.random.default_rng(3)
  vocab, length, rows = 4, 4, 3
  weights = jnp.float32(rng.normal(size=(rows, length, length, vocab, vocab)))

  def logits(history, weights, position):
    """[vocab] from tokens [length], 0 at first, up to `position`."""
    seen = jnp.arange(length)[:, None] <= position
    picked = weights[position][jnp.arange(length), history]
    return 2.0 * jnp.sum(jnp.where(seen, picked, 0.0), axis=0)

  def decode_step(tokens, cache, position):
    history, row_weights = cache
    history = history.at[:, position].set(tokens)
    found = jax.vmap(logits, (0, 0, None))(history, row_weights, position)
    return found, (history, row_weights)

  cache = (jnp.zeros((rows, length), jnp.int32), weights)
  beams = vocab**length
  found = jax.jit(
    lambda cache: beam_decode(
      *(decode_step, cache, jnp.zeros(rows, bool), length),
      num_decodes=beams,
      alpha=alpha,
    )
  )(cache)
  for row in range(rows):
    scored = {}
    for size in range(1, length + 1):
      for head in itertools.product([0, 2, 3], repeat=size - 1):
        sentence = [*head, 1]
        fed = np.zeros(length, np.int32)
        fed[1:size] = head
        gained = sum(
          float(jax.nn.log_softmax(logits(fed, weights[row], i))[token])
          for i, token in enumerate(sentence)
        )
        scored[tuple(sentence)] = gained / ((5 + size) / 6) ** alpha
    best = max(scored, key=scored.get)
    assert tuple(found.tokens[row, 0, : len(best)]) == best
    np.testing.assert_allclose(
      found.scores[row, 0], scored[best], rtol=1e-4, atol=1e-5
    )
