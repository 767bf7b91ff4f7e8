"""Greedy decoding and sampling: one token at a time, in one compiled loop."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from distill.model.decoding import steps
from distill.model.decoding.steps import Decodes, DecodeStep

# (logits [rows, vocab], position) -> tokens [rows]
Choose = Callable[[jax.Array, jax.Array], jax.Array]


class _Loop(NamedTuple):
  position: jax.Array  # scalar: how many tokens are decoded
  last: jax.Array  # [rows]: the newest tokens
  ended: jax.Array  # [rows]
  tokens: jax.Array  # [rows, max_decode_length]
  scores: jax.Array  # [rows]
  cache: Any


def greedy_decode(
  decode_step: DecodeStep,
  cache: Any,
  is_empty: jax.Array,
  max_decode_length: int,
  eos_id: int = steps.EOS_ID,
) -> Decodes:
  """Decodes the most probable token at each position.

  Args:
    decode_step: Gives the next logits and the cache with the tokens in it.
    cache: A pytree for `decode_step`.
    is_empty: [batch], True for rows that need no decoding, such as those that
      fill up the last batch of a dataset; they come back as padding.
    max_decode_length: Tokens a sequence, at most.
    eos_id: The token that ends a sequence.

  Returns:
    One decode each. Decoding stops when every row has ended.
  """

  def choose(logits: jax.Array, position: jax.Array) -> jax.Array:
    del position
    return jnp.argmax(logits, axis=-1)

  end = _decode(decode_step, cache, is_empty, max_decode_length, choose, eos_id)
  return Decodes(end.tokens[:, None], end.scores[:, None], end.position)


def sample_decode(
  decode_step: DecodeStep,
  cache: Any,
  is_empty: jax.Array,
  max_decode_length: int,
  keys: jax.Array,
  *,
  num_decodes: int = 1,
  temperature: float = 1.0,
  top_k: int = 0,
  top_p: float = 0.0,
  eos_id: int = steps.EOS_ID,
) -> Decodes:
  """Draws each token from the model's distribution, several times an input.

  Args:
    decode_step: As for `greedy_decode`, on [batch · num_decodes] rows.
    cache: A pytree for one row an input; all of its leaves are repeated, so
      that the inputs are encoded once.
    is_empty: As for `greedy_decode`.
    max_decode_length: Tokens a sequence, at most.
    keys: [batch] random keys. An input's draws depend on its key alone, not on
      its place in the batch.
    num_decodes: Independent samples of each input.
    temperature: Divides the logits before the cuts below.
    top_k: Only the so many most probable tokens are drawn; 0 is all.
    top_p: Only the most probable tokens that together reach this probability
      are drawn; 0 is all.
    eos_id: The token that ends a sequence.

  Returns:
    The samples, the most probable first. Their scores are of the model's own
    distribution: no temperature, no cuts.
  """
  batch_size = is_empty.shape[0]
  fold = jax.vmap(jax.random.fold_in)
  copies = jnp.tile(jnp.arange(num_decodes), batch_size)
  row_keys = fold(steps.repeat_rows(keys, num_decodes), copies)

  def choose(logits: jax.Array, position: jax.Array) -> jax.Array:
    cut = keep_top(logits / temperature, top_k, top_p)
    step_keys = jax.vmap(jax.random.fold_in, (0, None))(row_keys, position)
    return jax.vmap(jax.random.categorical)(step_keys, cut)

  end = _decode(
    decode_step,
    steps.repeat_rows(cache, num_decodes),
    steps.repeat_rows(is_empty, num_decodes),
    max_decode_length,
    choose,
    eos_id,
  )
  scores = end.scores.reshape(batch_size, num_decodes)
  tokens = end.tokens.reshape(batch_size, num_decodes, max_decode_length)
  best_first = jnp.argsort(-scores, axis=1)
  return Decodes(
    steps.take_within(tokens, best_first),
    steps.take_within(scores, best_first),
    end.position,
  )


def keep_top(logits: jax.Array, top_k: int, top_p: float) -> jax.Array:
  """Returns logits [rows, vocab] with -inf at the tokens that are cut off.

  Tokens as probable as the last one that is kept are kept too. `top_p` is of
  what `top_k` leaves.
  """
  if 0 < top_k < logits.shape[-1]:
    least = jax.lax.top_k(logits, top_k)[0][:, -1:]
    logits = jnp.where(logits >= least, logits, -jnp.inf)
  if 0.0 < top_p < 1.0:
    falling = jnp.sort(logits, axis=-1, descending=True)
    probs = jax.nn.softmax(falling)
    before = jnp.cumsum(probs, axis=-1) - probs
    kept = jnp.where(before < top_p, falling, jnp.inf)
    least = jnp.min(kept, axis=-1, keepdims=True)
    logits = jnp.where(logits >= least, logits, -jnp.inf)
  return logits


def _decode(
  decode_step: DecodeStep,
  cache: Any,
  ended: jax.Array,
  max_decode_length: int,
  choose: Choose,
  eos_id: int,
) -> _Loop:
  """Returns the loop's end: all rows have ended, or are full."""

  def go_on(loop: _Loop) -> jax.Array:
    return (loop.position < max_decode_length) & ~jnp.all(loop.ended)

  def step(loop: _Loop) -> _Loop:
    logits, cache = decode_step(loop.last, loop.cache, loop.position)
    chosen = choose(logits, loop.position).astype(jnp.int32)
    picked = jnp.take_along_axis(logits, chosen[:, None], axis=1)[:, 0]
    gained = picked - jax.nn.logsumexp(logits, axis=1)
    chosen = jnp.where(loop.ended, steps.PAD_ID, chosen)
    return _Loop(
      position=loop.position + 1,
      last=chosen,
      ended=loop.ended | (chosen == eos_id),
      tokens=loop.tokens.at[:, loop.position].set(chosen),
      scores=loop.scores + jnp.where(loop.ended, 0.0, gained),
      cache=cache,
    )

  rows = ended.shape[0]
  start = _Loop(
    position=jnp.int32(0),
    last=jnp.full((rows,), steps.START_ID, jnp.int32),
    ended=ended,
    tokens=jnp.full((rows, max_decode_length), steps.PAD_ID, jnp.int32),
    scores=jnp.zeros((rows,), jnp.float32),
    cache=cache,
  )
  return jax.lax.while_loop(go_on, step, start)
