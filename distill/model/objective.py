"""What a student minimises, the same on both engines.

It turns the functions of `losses` into one sum over tokens, whose weights may
change with the step, or with how well an example is known.
"""

import dataclasses

import jax
import jax.numpy as jnp

from distill import errors, loss_groups
from distill.annotations import PositiveInt
from distill.model import losses


@dataclasses.dataclass(frozen=True)
class Objective:
  """The loss of a batch.

  Attributes:
    group_weights: w_g of each loss group, by its number; a group beyond them
      weighs nothing.
    normalization: 'token' or 'sequence', see `losses.token_coefficients`.
    final_group_weights: What w_g reach, by a straight line, at step `steps`
      and keep; None leaves them as they are.
    steps: See there.
    per_example: Whether each pair of rows, a label's and its rationale's, has
      an α of its own, see `losses.pair_weights`; w_g then count for nothing.
  """

  group_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 0.0)
  normalization: str = "token"
  final_group_weights: tuple[float, ...] | None = None
  steps: PositiveInt | None = None
  per_example: bool = False

  def __post_init__(self) -> None:
    if self.normalization not in losses.NORMALIZATIONS:
      raise errors.UserError(
        "The loss cannot be normalised so.",
        expected="one of " + ", ".join(losses.NORMALIZATIONS),
        found=repr(self.normalization),
        remedy="set the macro LOSS_NORMALIZATION",
      )
    if (self.final_group_weights is None) != (self.steps is None) or (
      self.steps is not None and not self.steps > 0
    ):
      raise errors.UserError(
        "ALPHA_END and ALPHA_STEPS do not make a schedule.",
        expected="both, with at least one step, or neither",
        found=f"ALPHA_STEPS = {self.steps}",
        remedy="such as --gin.ALPHA_END=0.9 --gin.ALPHA_STEPS=1000",
      )
    if self.per_example and self.steps is not None:
      raise errors.UserError(
        "α cannot follow both a schedule and each example's loss.",
        remedy="set ALPHA_PER_EXAMPLE = False, or ALPHA_END and ALPHA_STEPS ="
        " None",
      )
    # gin may hand over a list, and a static argument of jit must be hashable.
    object.__setattr__(self, "group_weights", tuple(self.group_weights))

  @property
  def rows_together(self) -> int:
    """How many neighbouring rows must stay in one microbatch."""
    return 2 if self.per_example else 1

  @property
  def groups_apart(self) -> dict[int, str]:
    """Names of the groups that the loss does not merely pool, by number."""
    pooled = self.group_weights[1:3] == (1.0, 1.0)
    unlikely = any(self.group_weights[loss_groups.UNLIKELIHOOD :])
    return {
      group: name
      for group, name in loss_groups.NAMES.items()
      if (unlikely if group == loss_groups.UNLIKELIHOOD else not pooled)
    }

  def coefficients(
    self, batch: losses.Batch, step: jax.Array | int = 0
  ) -> jax.Array:
    """Returns c [batch, length]; `batch` is the global one."""
    if self.per_example:
      return losses.pair_coefficients(batch)
    weights: tuple[float | jax.Array, ...] = self.group_weights
    if self.final_group_weights is not None and self.steps is not None:
      share = jnp.minimum(step / self.steps, 1.0)
      ends = zip(weights, self.final_group_weights, strict=True)
      weights = tuple(start + share * (end - start) for start, end in ends)
    return losses.token_coefficients(batch, weights, self.normalization)

  def token_losses(
    self,
    batch: losses.Batch,
    logits: jax.Array,
    z_loss: float,
    label_smoothing: float,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns `losses.token_losses`, group 3's by unlikelihood.

    Unlikelihood is not smoothed, but has the z-loss.
    """
    targets = batch["decoder_target_tokens"]
    each, z_losses = losses.token_losses(
      logits, targets, z_loss, label_smoothing
    )
    if any(self.group_weights[loss_groups.UNLIKELIHOOD :]):
      unlikely = losses.token_groups(batch) == loss_groups.UNLIKELIHOOD
      against = losses.unlikelihood_losses(logits, targets) + z_losses
      each = jnp.where(unlikely, against, each)
    return each, z_losses

  def loss(
    self, batch: losses.Batch, coefficients: jax.Array, each: jax.Array
  ) -> jax.Array:
    """Returns Σ c_i · ℓ_i, or with α of its own Σ c_i · α(i) · ℓ_i.

    It adds up over microbatches that keep `rows_together`.

    Args:
      batch: The rows of the global batch to sum over.
      coefficients: c of these rows, [batch, length].
      each: ℓ of these rows, from `token_losses`.
    """
    if self.per_example:
      each = losses.pair_weights(batch, each)[:, None] * each
    return jnp.sum(coefficients * each)
