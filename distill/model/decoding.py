"""Greedy decoding in one compiled loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

PAD_ID = 0
# T5's decoder starts from padding.
START_ID = 0

# (tokens [batch], cache, position) -> (logits [batch, vocab], cache)
DecodeStep = Callable[[jax.Array, Any, jax.Array], tuple[jax.Array, Any]]


class _Loop(NamedTuple):
  position: jax.Array  # scalar: how many tokens are decoded
  last: jax.Array  # [batch]: the newest tokens
  ended: jax.Array  # [batch]
  tokens: jax.Array  # [batch, max_decode_length]
  cache: Any


def greedy_decode(
  decode_step: DecodeStep,
  cache: Any,
  is_empty: jax.Array,
  max_decode_length: int,
  eos_id: int = 1,
) -> tuple[jax.Array, jax.Array]:
  """Decodes the most probable token at each position.

  Args:
    decode_step: Gives the next logits and the cache with the tokens in it.
    cache: A pytree for `decode_step`.
    is_empty: [batch], True for rows that need no decoding, such as those that
      fill up the last batch of a dataset; they come back as padding.
    max_decode_length: Tokens a sequence, at most.
    eos_id: The token that ends a sequence.

  Returns:
    The tokens [batch, max_decode_length], 0 after `eos_id`, and the number of
    steps taken: decoding stops when every row has ended.
  """

  def go_on(loop: _Loop) -> jax.Array:
    return (loop.position < max_decode_length) & ~jnp.all(loop.ended)

  def step(loop: _Loop) -> _Loop:
    logits, cache = decode_step(loop.last, loop.cache, loop.position)
    best = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    best = jnp.where(loop.ended, PAD_ID, best)
    return _Loop(
      position=loop.position + 1,
      last=best,
      ended=loop.ended | (best == eos_id),
      tokens=loop.tokens.at[:, loop.position].set(best),
      cache=cache,
    )

  batch_size = is_empty.shape[0]
  start = _Loop(
    position=jnp.int32(0),
    last=jnp.full((batch_size,), START_ID, jnp.int32),
    ended=is_empty,
    tokens=jnp.full((batch_size, max_decode_length), PAD_ID, jnp.int32),
    cache=cache,
  )
  end = jax.lax.while_loop(go_on, step, start)
  return end.tokens, end.position
