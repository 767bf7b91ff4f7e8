"""Toy models: logits by a table of what follows what, and a cache to gather."""

import types

import jax.numpy as jnp
import numpy as np
import pytest


def steps(table):
  """A decode_step whose next probabilities are table[last token].

  Its cache holds the tokens that were fed, so that a wrong gather shows.
  """
  with np.errstate(divide="ignore"):
    logits = jnp.log(jnp.float32(table))

  def decode_step(tokens, cache, position):
    return logits[tokens], cache.at[:, position].set(tokens)

  return decode_step


def cache(rows, length):
  return jnp.full((rows, length), -1)


def none_empty(rows):
  return jnp.zeros((rows,), bool)


@pytest.fixture
def toy():
  return types.SimpleNamespace(steps=steps, cache=cache, none_empty=none_empty)
