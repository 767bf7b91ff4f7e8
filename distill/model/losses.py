"""The paper's loss: a weighted sum of the mean losses of groups of tokens.

"Distilling step-by-step" (section 3.2) adds a label loss and a rationale loss.
Here each target token carries a group g, and

  loss = Σ_g w_g · mean of ℓ over the group's tokens in the global batch,

which is Σ_i c_i · ℓ_i with coefficients c_i that depend on the batch alone.
Computed once from the global batch, they let the sum be split over devices and
microbatches without changing the loss.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from distill import errors

Batch = Mapping[str, jax.Array]

NORMALIZATIONS = ("token", "sequence")


def token_weights(batch: Batch) -> jax.Array:
  """Returns m [batch, length] float32: which targets count, and how much."""
  weights = batch.get("decoder_loss_weights")
  if weights is None:
    weights = batch["decoder_target_tokens"] > 0
  return weights.astype(jnp.float32)


def token_groups(batch: Batch) -> jax.Array:
  """Returns g [batch, length] int32; 0 where the data names no groups."""
  groups = batch.get("decoder_loss_groups")
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
  the global batch. With 'sequence', every sequence of the group weighs the
  same: its tokens' m are divided by their sum first. In a packed row,
  `decoder_segment_ids` tells its sequences apart. A group that is absent, or
  beyond `group_weights`, contributes 0.
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
  """Returns the loss of each token and the z-loss within it.

  As in T5X: cross-entropy against targets smoothed to 1 - s and s / (V - 1),
  less the smoothed targets' entropy, so that a perfect prediction costs 0, plus
  z_loss · (log Z)².

  Args:
    logits: [batch, length, vocab], float32.
    targets: [batch, length].
    z_loss: Coefficient of the z-loss.
    label_smoothing: s.

  Returns:
    Two arrays [batch, length], the second being part of the first.
  """
  vocab_size = logits.shape[-1]
  log_z = jax.nn.logsumexp(logits, axis=-1)
  log_probs = logits - log_z[..., None]
  # A comparison fuses, and splits over a sharded vocabulary; a gather does not.
  is_target = targets[..., None] == jnp.arange(vocab_size)
  on, off = 1.0 - label_smoothing, label_smoothing / max(vocab_size - 1, 1)
  losses = -jnp.sum(jnp.where(is_target, on, off) * log_probs, axis=-1)
  losses += on * np.log(on) + (vocab_size - 1) * off * np.log(off + 1e-20)
  z_losses = z_loss * jnp.square(log_z)
  return losses + z_losses, z_losses


def unlikelihood_losses(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns -log(1 - p) of each target [batch, length].

  Welleck et al. 2020, equation 3, from the logits of the other tokens: finite
  where p is 1 in floating point.
  """
  is_target = targets[..., None] == jnp.arange(logits.shape[-1])
  others = jnp.where(is_target, -jnp.inf, logits)
  return jax.nn.logsumexp(logits, axis=-1) - jax.nn.logsumexp(others, axis=-1)


def pair_coefficients(batch: Batch) -> jax.Array:
  """Returns c [batch, length]: the mean over a row, then over the examples.

  Rows 2i and 2i + 1 are the label and the rationale of example i. Those
  without a label are no examples; a row of padding has no coefficients.

  Raises:
    UserError: The rows are no pairs.
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

  α_i = clip(tanh(CE_i / 10), 0.2, 0.7) of the label's mean loss CE_i, taken as
  a constant: the fork of the paper's code by KaiKai weighs examples so.

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
  logits: jax.Array,
  losses: jax.Array,
  z_losses: jax.Array,
  num_groups: int,
) -> dict[str, jax.Array]:
  """Returns float32 sums over the target tokens, for metrics.

  They are weighted by m and add up over microbatches. `tokens`, `correct` and
  `z_loss` are of all tokens; `loss/<g>`, `correct/<g>` and `tokens/<g>` of the
  groups 0 to `num_groups` - 1: a mean is one sum divided by its tokens.
  """
  weights, groups = token_weights(batch), token_groups(batch)
  hits = jnp.argmax(logits, axis=-1) == batch["decoder_target_tokens"]
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
  """Returns a / b, and 0 where there is nothing to divide by."""
  return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)
