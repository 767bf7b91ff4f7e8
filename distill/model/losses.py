"""The paper's loss: a weighted sum of the mean losses of groups of tokens.

"Distilling step-by-step" (section 3.2) adds a label loss and a rationale loss.
Here each target token has a group g, and

  loss = Σ_g w_g · mean of ℓ over the group's tokens in the global batch,

which is Σ_i c_i · ℓ_i. The coefficients c_i depend only on the batch. They are
computed once from the global batch, so that the sum can be split over devices
and microbatches without a change of the loss.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from distill import errors, loss_groups

Batch = Mapping[str, jax.Array]

NORMALIZATIONS = ("token", "sequence")


def token_weights(batch: Batch) -> jax.Array:
  """Returns the weights m of the targets, [batch, length] float32."""
  weights = batch.get("decoder_loss_weights")
  if weights is None:
    weights = batch["decoder_target_tokens"] > 0
  return weights.astype(jnp.float32)


def token_groups(batch: Batch) -> jax.Array:
  """Returns the groups g [batch, length] int32; 0 if the batch has none."""
  groups = batch.get(loss_groups.MODEL_FEATURE)
  if groups is None:
    groups = jnp.zeros_like(batch["decoder_target_tokens"])
  return groups


def token_coefficients(
  batch: Batch,
  group_weights: Sequence[float | jax.Array],
  normalization: str = "token",
) -> jax.Array:
  """Returns c [batch, length] float32 of `loss = Σ_i c_i · ℓ_i`.

  With 'token', c_i = w_g · m_i / N_g, where N_g is the sum of m over group g of
  the global batch. With 'sequence', every sequence of the group has the same
  weight: the m of its tokens are first divided by their sum. In a packed row,
  `decoder_segment_ids` separates the sequences. A group that is absent or has
  no weight contributes 0.
  """
  weights, groups = token_weights(batch), token_groups(batch)
  coefficients = jnp.zeros_like(weights)
  for group, group_weight in enumerate(group_weights):
    shares = jnp.where(groups == group, weights, 0.0)
    if normalization == "sequence":
      shares = _divide(shares, _sequence_sums(shares, batch))
    coefficients += group_weight * _divide(shares, jnp.sum(shares))
  return coefficients


def token_losses(
  logits: jax.Array,
  targets: jax.Array,
  z_loss: float = 0.0,
  label_smoothing: float = 0.0,
) -> tuple[jax.Array, jax.Array]:
  """Returns the loss of each token and the z-loss that it includes.

  As in T5X: cross-entropy against targets smoothed to 1 - s and s / (V - 1),
  less the smoothed targets' entropy, so that a perfect prediction costs 0, plus
  z_loss · (log Z)².

  Args:
    logits: [batch, length, vocab], float32.
    targets: [batch, length].
    z_loss: The coefficient of the z-loss.
    label_smoothing: The probability s of the wrong tokens.

  Returns:
    Two arrays [batch, length]. The first includes the second.
  """
  vocab_size = logits.shape[-1]
  log_z = jax.nn.logsumexp(logits, axis=-1)
  log_probs = logits - log_z[..., None]
  # A comparison fuses and splits over a sharded vocabulary; a gather does not.
  is_target = targets[..., None] == jnp.arange(vocab_size)
  on, off = 1.0 - label_smoothing, label_smoothing / max(vocab_size - 1, 1)
  losses = -jnp.sum(jnp.where(is_target, on, off) * log_probs, axis=-1)
  losses += on * np.log(on) + (vocab_size - 1) * off * np.log(off + 1e-20)
  z_losses = z_loss * jnp.square(log_z)
  return losses + z_losses, z_losses


def unlikelihood_losses(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns -log(1 - p) of each target [batch, length].

  This is equation 3 of Welleck et al. 2020. It is computed from the logits of
  the other tokens, so that it is finite if p rounds to 1.
  """
  is_target = targets[..., None] == jnp.arange(logits.shape[-1])
  others = jnp.where(is_target, -jnp.inf, logits)
  return jax.nn.logsumexp(logits, axis=-1) - jax.nn.logsumexp(others, axis=-1)


# The losses of groups that do not have the cross-entropy.
GROUP_LOSSES = {loss_groups.UNLIKELIHOOD: unlikelihood_losses}


def hits(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns where the target has the greatest logit, [batch, length] bool."""
  return jnp.argmax(logits, axis=-1) == targets


def in_chunks(
  function: Callable[[Any], Any], arrays: Any, size: int | None
) -> Any:
  """Returns `function(arrays)`, computed for `size` positions at a time.

  The backward pass computes each chunk again. Neither pass thus holds what the
  function makes of all positions at once, such as their logits.

  Args:
    function: Takes and returns a tree of arrays [batch, length, …]. It computes
      each position by itself.
    arrays: The argument of the function.
    size: The positions of a chunk, which need not divide the length. None, or
      no less than the length, is all of them, without a second computation.
  """
  length = jax.tree.leaves(arrays)[0].shape[1]
  if size is None or size >= length:
    return function(arrays)
  count = -(-length // size)

  def split(x: jax.Array) -> jax.Array:
    """Returns [chunks, batch, size, …], with zeros behind the length."""
    rest = [(0, 0)] * (x.ndim - 2)
    x = jnp.pad(x, [(0, 0), (0, count * size - length), *rest])
    return jnp.swapaxes(x.reshape(len(x), count, size, *x.shape[2:]), 0, 1)

  def join(x: jax.Array) -> jax.Array:
    x = jnp.swapaxes(x, 0, 1)
    return x.reshape(len(x), count * size, *x.shape[3:])[:, :length]

  # In a loop, the barriers against merging both computations are not needed.
  again = jax.checkpoint(function, prevent_cse=False)
  parts = jax.lax.map(again, jax.tree.map(split, arrays))
  return jax.tree.map(join, parts)


def pair_coefficients(batch: Batch) -> jax.Array:
  """Returns c [batch, length] of the mean over a row, then over examples.

  Rows 2i and 2i + 1 are the label and the rationale of example i. A pair
  without a label is no example. The coefficients of padding are 0.

  Raises:
    UserError: The rows are not pairs.
  """
  if len(batch["decoder_target_tokens"]) % 2 or "decoder_segment_ids" in batch:
    raise errors.UserError(
      "An α of each example needs its label and its rationale as two rows.",
      expected="a task <data>_step_by_step_paired, not packed",
      remedy="set MIXTURE_OR_TASK_NAME so, or ALPHA_PER_EXAMPLE = False",
    )
  weights = token_weights(batch)
  sums = jnp.sum(weights, axis=-1, keepdims=True)
  examples = jnp.sum(sums[::2] > 0)
  return _divide(_divide(weights, sums), examples)


def pair_weights(batch: Batch, each: jax.Array) -> jax.Array:
  """Returns α_i for row 2i and 1 - α_i for row 2i + 1, [batch] float32.

  α_i = clip(tanh(CE_i / 10), 0.2, 0.7), where CE_i is the label's mean loss,
  without a gradient. The weights are those of KaiKai's fork of the paper's
  code.

  Args:
    batch: Pairs of rows, see `pair_coefficients`.
    each: The loss of each token, [batch, length].
  """
  weights = token_weights(batch)[::2]
  label_loss = _divide(jnp.sum(weights * each[::2], -1), jnp.sum(weights, -1))
  alpha = jnp.clip(jnp.tanh(jax.lax.stop_gradient(label_loss) / 10), 0.2, 0.7)
  return jnp.stack([alpha, 1 - alpha], axis=1).reshape(-1)


def loss_sums(
  batch: Batch,
  hits: jax.Array,
  losses: jax.Array,
  z_losses: jax.Array,
  num_groups: int,
) -> dict[str, jax.Array]:
  """Returns float32 sums over the target tokens, for metrics.

  The sums are weighted by m, and can be added over microbatches. `tokens`,
  `correct` and `z_loss` are sums over all tokens. `loss/<g>`, `correct/<g>` and
  `tokens/<g>` are sums over group g, from 0 to `num_groups` - 1. A mean is a
  sum divided by its number of tokens. `hits`, `losses` and `z_losses` are those
  of each token, [batch, length].
  """
  weights, groups = token_weights(batch), token_groups(batch)
  sums = {
    "tokens": jnp.sum(weights),
    "correct": jnp.sum(weights * hits),
    "z_loss": jnp.sum(weights * z_losses),
  }
  for group in range(num_groups):
    shares = jnp.where(groups == group, weights, 0.0)
    sums[f"tokens/{group}"] = jnp.sum(shares)
    sums[f"correct/{group}"] = jnp.sum(shares * hits)
    sums[f"loss/{group}"] = jnp.sum(shares * losses)
  return sums


def _sequence_sums(shares: jax.Array, batch: Batch) -> jax.Array:
  """Returns at each token the sum of `shares` over its sequence."""
  segment_ids = batch.get("decoder_segment_ids")
  if segment_ids is None:
    return jnp.sum(shares, axis=-1, keepdims=True)

  def row(shares: jax.Array, segment_ids: jax.Array) -> jax.Array:
    sums = jax.ops.segment_sum(
      shares, segment_ids, num_segments=shares.shape[0] + 1
    )
    return sums[segment_ids]

  return jax.vmap(row)(shares, segment_ids)


def _divide(a: jax.Array, b: jax.Array) -> jax.Array:
  """Returns a / b, and 0 where b is 0."""
  return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)
