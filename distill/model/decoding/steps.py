"""What every way of decoding shares: its step, its result, rows of a cache."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

PAD_ID = 0
# T5's decoder starts from padding.
START_ID = 0
EOS_ID = 1

# (tokens [rows], cache, position) -> (logits [rows, vocab], cache)
DecodeStep = Callable[[jax.Array, Any, jax.Array], tuple[jax.Array, Any]]


class Decodes(NamedTuple):
  """What decoding gives for a batch, each input's best decode first.

  Attributes:
    tokens: [batch, num_decodes, length], int32, 0 after the end.
    scores: [batch, num_decodes], float32: the sum of the tokens' natural
      log-probabilities, the end's too, by the model itself, whatever they were
      drawn by. A beam search divides it by its brevity penalty.
    steps: Scalar: how many steps it took.
  """

  tokens: jax.Array
  scores: jax.Array
  steps: jax.Array


def repeat_rows(tree: Any, count: int) -> Any:
  """Returns a pytree whose leaves [batch, …] became [batch · count, …].

  A row's copies stand side by side.
  """
  return jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), tree)


def take_within(leaf: jax.Array, chosen: jax.Array) -> jax.Array:
  """Returns leaf[b, chosen[b]] of [batch, m, …] and [batch, n]: [batch, n, …].

  The batch is an axis of the gather's own, which devices split.
  """
  return jax.vmap(lambda rows, index: rows[index])(leaf, chosen)


def reorder_rows(tree: Any, chosen: jax.Array) -> Any:
  """Returns a cache of [batch · n, …] with each input's rows as chosen.

  Args:
    tree: The cache; an input's n rows stand side by side.
    chosen: [batch, n], which of its n rows each becomes.
  """

  def reorder(leaf: jax.Array) -> jax.Array:
    split = leaf.reshape(*chosen.shape, *leaf.shape[1:])
    return take_within(split, chosen).reshape(leaf.shape)

  return jax.tree.map(reorder, tree)
