"""Sampling: whose probabilities, which cuts, and what a seed fixes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model.decoding import sample_decode
from distill.model.decoding.sampling import keep_top

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
