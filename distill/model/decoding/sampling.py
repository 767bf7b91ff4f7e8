"""Greedy decoding and sampling, and what beam search shares with them."""

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
# (logits [rows, vocab], position) -> tokens [rows]
Choose = Callable[[jax.Array, jax.Array], jax.Array]


class Decodes(NamedTuple):
  """The decodes of a batch, the best of each input first.

  Attributes:
    tokens: [batch, num_decodes, length], int32, 0 after the end.
    scores: [batch, num_decodes], float32: the sum of the natural
      log-probabilities of the tokens and the end under the model's own
      distribution. Beam search divides it by its brevity penalty.
    steps: The number of steps, a scalar.
  """

  tokens: jax.Array
  scores: jax.Array
  steps: jax.Array


class _Loop(NamedTuple):
  position: jax.Array  # scalar: the number of decoded tokens
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
  eos_id: int = EOS_ID,
) -> Decodes:
  """Decodes the most probable token at each position.

  Args:
    decode_step: Returns the next logits and the cache with the tokens in it.
    cache: A pytree for `decode_step`.
    is_empty: [batch], True for rows that are not decoded, such as the rows that
      complete the last batch of a dataset. Their result is padding.
    max_decode_length: The longest sequence in tokens.
    eos_id: The token that ends a sequence.

  Returns:
    One decode for each row. Decoding stops when every row has ended.
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
  eos_id: int = EOS_ID,
) -> Decodes:
  """Samples `num_decodes` sequences for each input.

  Args:
    decode_step: As for `greedy_decode`, on [batch · num_decodes] rows.
    cache: A pytree with one row for each input. Its leaves are repeated, so
      that each input is encoded once.
    is_empty: As for `greedy_decode`.
    max_decode_length: The longest sequence in tokens.
    keys: [batch] random keys. The samples of an input depend on its key, not on
      its row.
    num_decodes: The number of independent samples of each input.
    temperature: The divisor of the logits, applied before `top_k` and `top_p`.
    top_k: The number of most probable tokens to sample from; 0 for all.
    top_p: The least total probability of the most probable tokens to sample
      from; 0 for all.
    eos_id: The token that ends a sequence.

  Returns:
    The samples, the most probable first. Their scores ignore `temperature`,
    `top_k` and `top_p`.
  """
  batch_size = is_empty.shape[0]
  fold = jax.vmap(jax.random.fold_in)
  copies = jnp.tile(jnp.arange(num_decodes), batch_size)
  row_keys = fold(repeat_rows(keys, num_decodes), copies)

  def choose(logits: jax.Array, position: jax.Array) -> jax.Array:
    cut = keep_top(logits / temperature, top_k, top_p)
    step_keys = jax.vmap(jax.random.fold_in, (0, None))(row_keys, position)
    return jax.vmap(jax.random.categorical)(step_keys, cut)

  end = _decode(
    decode_step,
    repeat_rows(cache, num_decodes),
    repeat_rows(is_empty, num_decodes),
    max_decode_length,
    choose,
    eos_id,
  )
  scores = end.scores.reshape(batch_size, num_decodes)
  tokens = end.tokens.reshape(batch_size, num_decodes, max_decode_length)
  best_first = jnp.argsort(-scores, axis=1)
  return Decodes(
    take_within(tokens, best_first),
    take_within(scores, best_first),
    end.position,
  )


def keep_top(logits: jax.Array, top_k: int, top_p: float) -> jax.Array:
  """Returns logits [rows, vocab] with -inf for the tokens that are removed.

  Tokens with the same probability as the last kept token are kept. `top_p`
  applies to the tokens that `top_k` keeps.
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
  """Returns the final state, when all rows have ended or are full."""

  def go_on(loop: _Loop) -> jax.Array:
    return (loop.position < max_decode_length) & ~jnp.all(loop.ended)

  def step(loop: _Loop) -> _Loop:
    logits, cache = decode_step(loop.last, loop.cache, loop.position)
    chosen = choose(logits, loop.position).astype(jnp.int32)
    picked = jnp.take_along_axis(logits, chosen[:, None], axis=1)[:, 0]
    gained = picked - jax.nn.logsumexp(logits, axis=1)
    chosen = jnp.where(loop.ended, PAD_ID, chosen)
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
    last=jnp.full((rows,), START_ID, jnp.int32),
    ended=ended,
    tokens=jnp.full((rows, max_decode_length), PAD_ID, jnp.int32),
    scores=jnp.zeros((rows,), jnp.float32),
    cache=cache,
  )
  return jax.lax.while_loop(go_on, step, start)


def repeat_rows(tree: Any, count: int) -> Any:
  """Returns a pytree with each row of its leaves [batch, …] `count` times.

  The copies of a row are adjacent.
  """
  return jax.tree.map(lambda leaf: jnp.repeat(leaf, count, axis=0), tree)


def take_within(leaf: jax.Array, chosen: jax.Array) -> jax.Array:
  """Returns leaf[b, chosen[b]] of [batch, m, …] and [batch, n]: [batch, n, …].

  The batch is a batch axis of the gather, so that devices can split it.
  """
  return jax.vmap(lambda rows, index: rows[index])(leaf, chosen)


def reorder_rows(tree: Any, chosen: jax.Array) -> Any:
  """Returns a cache of [batch · n, …] with the chosen rows of each input.

  Args:
    tree: The cache; the n rows of an input are adjacent.
    chosen: [batch, n], the index of each new row among the input's n rows.
  """

  def reorder(leaf: jax.Array) -> jax.Array:
    split = leaf.reshape(*chosen.shape, *leaf.shape[1:])
    return take_within(split, chosen).reshape(leaf.shape)

  return jax.tree.map(reorder, tree)
