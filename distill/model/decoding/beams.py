"""Beam search with T5X's penalty, ends and ties.

Each step takes the 2·num_decodes best continuations of the live beams. Those
that end compete by penalised score for the num_decodes finished places. The
best of the others stay live. The search stops when no live beam can overtake
the worst finished beam, even with the largest possible penalty.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from distill.model.decoding import sampling
from distill.model.decoding.sampling import Decodes, DecodeStep

# T5X's score of an empty place. It is finite, as it is added to others.
UNFILLED = -1e7


class _Beams(NamedTuple):
  """The scored sequences of each input, the best last, for T5X's ties."""

  tokens: jax.Array  # [batch, beams, max_decode_length]
  scores: jax.Array  # [batch, beams]
  filled: jax.Array  # [batch, beams], False for an empty place


class _Search(NamedTuple):
  position: jax.Array  # scalar: the number of decoded tokens
  last: jax.Array  # [batch, num_decodes]: the newest tokens of the live beams
  live: _Beams  # without the penalty
  finished: _Beams
  cache: Any


class _Options(NamedTuple):
  """The arguments of `beam_decode` that the steps read."""

  num_decodes: int
  max_decode_length: int
  alpha: float
  as_hugging_face: bool
  eos_id: int


def brevity_penalty(alpha: float, length: jax.Array | int) -> jax.Array:
  """Returns ((5 + length) / 6)^alpha (Wu et al. 2016, eq. 14)."""
  return jnp.power((5.0 + length) / 6.0, alpha)


def beam_decode(
  decode_step: DecodeStep,
  cache: Any,
  is_empty: jax.Array,
  max_decode_length: int,
  *,
  num_decodes: int = 4,
  alpha: float = 0.6,
  as_hugging_face: bool = False,
  eos_id: int = sampling.EOS_ID,
  reorder: Callable[[Any, jax.Array], Any] = sampling.reorder_rows,
) -> Decodes:
  """Searches for the most probable sequences of each input.

  Args:
    decode_step: Returns the next logits and the cache with the tokens in it,
      for [batch · num_decodes] rows.
    cache: A pytree with one row for each input; its leaves are repeated.
    is_empty: [batch], True for rows that are not decoded. Their result is
      padding.
    max_decode_length: The longest sequence in tokens.
    num_decodes: The number of beams of each input.
    alpha: The exponent of the brevity penalty; 0 for none.
    as_hugging_face: Follow `generate(early_stopping='never',
      length_penalty=alpha)` with alpha 0 where T5X differs. An end counts only
      among a step's num_decodes best, and beams that reach the length compete
      with finished beams. T5X returns them only for an input without finished
      beams.
    eos_id: The token that ends a sequence.
    reorder: Returns the cache with the chosen rows of each input, see
      `sampling.reorder_rows`. It may skip leaves that all beams share.

  Returns:
    The finished beams, the best first, with their scores divided by the
    penalty. An input without finished beams has the live beams and their
    scores. An empty place has padding and a score of -1e7.
  """
  options = _Options(
    num_decodes, max_decode_length, alpha, as_hugging_face, eos_id
  )

  def step(search: _Search) -> _Search:
    last = search.last.reshape(-1)
    logits, cache = decode_step(last, search.cache, search.position)
    search, parents = _extend(search, logits, options)
    return search._replace(cache=reorder(cache, parents))

  end = jax.lax.while_loop(
    lambda search: _goes_on(search, is_empty, options),
    step,
    _start(sampling.repeat_rows(cache, num_decodes), len(is_empty), options),
  )
  return _result(end, is_empty)


def _start(cache: Any, batch_size: int, options: _Options) -> _Search:
  """Returns the search before step 0, with one live beam for each input."""
  shape = (batch_size, options.num_decodes)
  nothing = _Beams(
    jnp.full((*shape, options.max_decode_length), sampling.PAD_ID, jnp.int32),
    jnp.full(shape, UNFILLED, jnp.float32),
    jnp.zeros(shape, jnp.bool_),
  )
  return _Search(
    position=jnp.int32(0),
    last=jnp.full(shape, sampling.START_ID, jnp.int32),
    live=nothing._replace(scores=nothing.scores.at[:, 0].set(0.0)),
    finished=nothing,
    cache=cache,
  )


def _goes_on(
  search: _Search, is_empty: jax.Array, options: _Options
) -> jax.Array:
  """Returns whether a live beam may still enter the finished beams."""
  longest = brevity_penalty(options.alpha, options.max_decode_length + 1)
  best_live = search.live.scores[:, -1:] / longest
  worst = jnp.min(search.finished.scores, axis=1, keepdims=True)
  worst = jnp.where(search.finished.filled, worst, UNFILLED)
  settled = jnp.all(worst > best_live, axis=1)
  dead = (best_live[:, 0] < UNFILLED / longest) & (search.position > 0)
  more = ~jnp.all(settled | is_empty) & ~jnp.all(dead | is_empty)
  return (search.position < options.max_decode_length) & more


def _extend(
  search: _Search, logits: jax.Array, options: _Options
) -> tuple[_Search, jax.Array]:
  """Returns the search after one more token, and the parents of its beams.

  Args:
    search: The search.
    logits: [batch · num_decodes, vocab], the logits after the live beams.
    options: The options.

  Returns:
    The search with the cache that it had; and [batch, num_decodes], the index
    of the beam that each live beam continues.
  """
  count = options.num_decodes
  candidates, parents, ids = _continue(search, logits)
  ended = ids == options.eos_id
  live_scores = candidates.scores + ended * UNFILLED
  live, kept = _best(candidates._replace(scores=live_scores), count)
  if options.as_hugging_face:
    ended |= search.position == options.max_decode_length - 1
    ended &= jnp.arange(2 * count) < count
  penalty = brevity_penalty(options.alpha, search.position + 1)
  scores = candidates.scores / penalty + ~ended * UNFILLED
  both = jax.tree.map(
    lambda *pair: jnp.concatenate(pair, axis=1),
    search.finished,
    _Beams(candidates.tokens, scores, ended),
  )
  finished, _ = _best(both, count)
  extended = search._replace(
    position=search.position + 1,
    last=sampling.take_within(ids, kept),
    live=live,
    finished=finished,
  )
  return extended, sampling.take_within(parents, kept)


def _continue(
  search: _Search, logits: jax.Array
) -> tuple[_Beams, jax.Array, jax.Array]:
  """Returns the 2·n best continuations of n live beams, the best first.

  Returns:
    The continuations, their beams [batch, 2·n], and their newest tokens
    [batch, 2·n].
  """
  batch_size, beams = search.live.scores.shape
  vocab_size = logits.shape[-1]
  log_probs = jax.nn.log_softmax(logits).reshape(batch_size, beams, vocab_size)
  log_probs += search.live.scores[:, :, None]
  scores, flat = jax.lax.top_k(log_probs.reshape(batch_size, -1), 2 * beams)
  parents, ids = flat // vocab_size, flat % vocab_size
  tokens = sampling.take_within(search.live.tokens, parents)
  tokens = tokens.at[:, :, search.position].set(ids)
  return _Beams(tokens, scores, jnp.ones_like(ids, jnp.bool_)), parents, ids


def _best(beams: _Beams, count: int) -> tuple[_Beams, jax.Array]:
  """Returns the `count` best beams, the best last, and their indices."""
  _, index = jax.lax.top_k(beams.scores, count)
  index = jnp.flip(index, axis=1)
  return jax.tree.map(lambda x: sampling.take_within(x, index), beams), index


def _result(end: _Search, is_empty: jax.Array) -> Decodes:
  """Returns the finished beams, or the live beams if there are none."""
  any_finished = jnp.any(end.finished.filled, axis=1)
  tokens = jnp.where(
    any_finished[:, None, None], end.finished.tokens, end.live.tokens
  )
  scores = jnp.where(
    any_finished[:, None], end.finished.scores, end.live.scores
  )
  return Decodes(
    jnp.where(
      is_empty[:, None, None], sampling.PAD_ID, jnp.flip(tokens, axis=1)
    ),
    jnp.where(is_empty[:, None], 0.0, jnp.flip(scores, axis=1)),
    end.position,
  )
