"""Decoding of sequences whose first tokens are given, by any method.

A step at a given token has the probability 1 for it, so that it adds nothing to
a score, and a sample, a beam or the best sequence goes through it.
"""

import jax
import jax.numpy as jnp

from distill.model.decoding.sampling import (
  PAD_ID,
  Decodes,
  DecodeStep,
)

# As little as T5X's mask: finite, and far below a beam's empty place.
_IMPOSSIBLE = -1e10


def force_prefix(decode_step: DecodeStep, prefix: jax.Array) -> DecodeStep:
  """Returns a step that can only choose the prefix where there is one.

  Args:
    decode_step: As for `greedy_decode`.
    prefix: [batch, length], the given tokens of each input from the first
      position, then 0. The step's rows may be a multiple of these: the
      neighbours of one input have the same.
  """

  def step(
    tokens: jax.Array, cache: object, position: jax.Array
  ) -> tuple[jax.Array, object]:
    logits, cache = decode_step(tokens, cache, position)
    copies = tokens.shape[0] // prefix.shape[0]
    given = jnp.repeat(prefix[:, position], copies)[:, None]
    is_given = given == jnp.arange(logits.shape[-1])
    forced = jnp.where(is_given, 0.0, _IMPOSSIBLE)
    return jnp.where(given > PAD_ID, forced, logits), cache

  return step


def without_prefix(decodes: Decodes, prefix: jax.Array) -> Decodes:
  """Returns the decodes without the given tokens, padded at their ends."""
  batch, count, length = decodes.tokens.shape
  size = jnp.sum(prefix > PAD_ID, axis=1)[:, None, None]
  place = jnp.arange(length) + size
  tokens = jnp.take_along_axis(
    decodes.tokens,
    jnp.broadcast_to(jnp.minimum(place, length - 1), (batch, count, length)),
    axis=2,
  )
  return decodes._replace(tokens=jnp.where(place < length, tokens, PAD_ID))
