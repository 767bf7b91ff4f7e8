"""Decodes that begin with given tokens, against those that start after them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model.decoding import Decoding
from distill.model.decoding.forcing import force_prefix, without_prefix

# Rows: the last token; columns: pad (never), end, a = 2, b = 3, c = 4.
TABLE = [
  [0.0, 0.2, 0.2, 0.3, 0.3],
  [0.0, 1.0, 0.0, 0.0, 0.0],
  [0.0, 0.5, 0.1, 0.1, 0.3],
  [0.0, 0.1, 0.6, 0.2, 0.1],
  [0.0, 0.3, 0.2, 0.4, 0.1],
]
LENGTH = 9
# The first row has two given tokens, the second none, the third one.
PREFIX = jnp.array([[4, 3] + [0] * 7, [0] * LENGTH, [2] + [0] * 8])
EMPTY = jnp.zeros(3, bool)


def decode(toy, decoding, table, prefix=None):
  step = toy.steps(table)
  run = functools.partial(
    decoding,
    step if prefix is None else force_prefix(step, prefix),
    toy.cache(3, LENGTH),
    EMPTY,
    LENGTH,
    example_index=jnp.arange(3),
  )
  found = run()
  return found if prefix is None else without_prefix(found, prefix)


def test_a_greedy_decode_goes_on_from_the_prefix(toy):
  found = decode(toy, Decoding(), TABLE, PREFIX)
  # From b: a, end. From the start: b, a, end. From a: end.
  assert found.tokens[:, 0].tolist() == [
    [2, 1] + [0] * 7,
    [3, 2, 1] + [0] * 6,
    [1] + [0] * 8,
  ]
  wanted = np.log([0.6 * 0.5, 0.3 * 0.6 * 0.5, 0.5])
  np.testing.assert_allclose(found.scores[:, 0], wanted, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_beams_are_those_of_a_search_that_starts_after_the_prefix(toy, beams):
  decoding = Decoding("beam", num_decodes=beams, alpha=0.0)
  found = decode(toy, decoding, TABLE, PREFIX)
  for row, last in enumerate([3, 0, 2]):
    after = [TABLE[last], *TABLE[1:]]
    alone = decode(toy, decoding, after)
    np.testing.assert_array_equal(found.tokens[row], alone.tokens[row])
    np.testing.assert_allclose(found.scores[row], alone.scores[row], rtol=1e-5)


@pytest.mark.parametrize("cut", [{}, {"top_k": 2}, {"top_p": 0.9}])
def test_samples_go_through_the_prefix(toy, cut):
  decoding = Decoding("sample", num_decodes=200, **cut)
  found = jax.device_get(decode(toy, decoding, TABLE, PREFIX))
  first = [np.bincount(row[:, 0], minlength=5) / 200 for row in found.tokens]
  # After b, the start and a: their most frequent successors, never padding.
  for share, last in zip(first, [3, 0, 2], strict=True):
    assert share[0] == 0
    np.testing.assert_allclose(share.sum(), 1)
    likely = max(TABLE[last])
    assert abs(share[TABLE[last].index(likely)] - likely) < (
      0.12 if not cut else 0.5
    )
  # The score is that of the tokens after the prefix.
  for row, last in enumerate([3, 0, 2]):
    tokens, score = found.tokens[row, 0], found.scores[row, 0]
    total = 0.0
    for token in tokens[: 1 + list(tokens).index(1)]:
      total += np.log(TABLE[last][token])
      last = token
    np.testing.assert_allclose(score, total, rtol=1e-4)
