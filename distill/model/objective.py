"""The loss that both engines minimise.

It is a weighted sum over tokens of the functions of `losses`. The weights may
depend on the step, or on the label loss of each example.
"""

import dataclasses

import jax
import jax.numpy as jnp

from distill import errors, loss_groups
from distill.errors import PositiveInt
from distill.model import losses


@dataclasses.dataclass(frozen=True)
class Objective:
  """The loss of a batch.

  Attributes:
    group_weights: The weight w_g of each loss group by its number. Other groups
      have weight 0.
    normalization: 'token' or 'sequence', see `losses.token_coefficients`.
    final_group_weights: The weights from step `steps` on. Before that step, the
      weights are interpolated linearly. None keeps `group_weights`.
    steps: The step at which `final_group_weights` are reached; None without a
      schedule.
    per_example: Whether each pair of rows, a label and its rationale, has its
      own α, see `losses.pair_weights`. The group weights are then not used.

  Raises:
    UserError: A value is out of range, or the options exclude each other.
  """

  group_weights: tuple[float, ...] = loss_groups.PLAIN
  normalization: str = "token"
  final_group_weights: tuple[float, ...] | None = None
  steps: PositiveInt | None = None
  per_example: bool = False

  def __post_init__(self) -> None:
    errors.require(
      "LOSS_NORMALIZATION",
      self.normalization,
      self.normalization in losses.NORMALIZATIONS,
      "one of " + ", ".join(losses.NORMALIZATIONS),
      "set the macro LOSS_NORMALIZATION",
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
    """The number of adjacent rows that a microbatch must not split."""
    return 2 if self.per_example else 1

  @property
  def groups_apart(self) -> dict[int, str]:
    """The names of the groups that the loss weights separately, by number."""
    pooled = self.group_weights[1:3] == loss_groups.PLAIN[1:3]
    return {
      number: group.name
      for number, group in loss_groups.GROUPS.items()
      if (not pooled if group.weight is None else self._has(number))
    }

  def _has(self, group: int) -> bool:
    """Returns whether a group has a weight."""
    return any(self.group_weights[group : group + 1])

  def coefficients(
    self, batch: losses.Batch, step: jax.Array | int = 0
  ) -> jax.Array:
    """Returns the coefficients c [batch, length] of a global batch."""
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
    """Returns `losses.token_losses`, with the `GROUP_LOSSES` of some groups.

    These losses have the z-loss, but no label smoothing.
    """
    targets = batch["decoder_target_tokens"]
    each, z_losses = losses.token_losses(
      logits, targets, z_loss, label_smoothing
    )
    groups = losses.token_groups(batch)
    for group, loss in losses.GROUP_LOSSES.items():
      if self._has(group):
        own = loss(logits, targets) + z_losses
        each = jnp.where(groups == group, own, each)
    return each, z_losses

  def loss(
    self, batch: losses.Batch, coefficients: jax.Array, each: jax.Array
  ) -> jax.Array:
    """Returns Σ c_i · ℓ_i, or Σ c_i · α(i) · ℓ_i with `per_example`.

    Microbatches can be added if they keep `rows_together`.

    Args:
      batch: The rows of the global batch to sum over.
      coefficients: The coefficients c of these rows, [batch, length].
      each: The losses ℓ of these rows, from `token_losses`.
    """
    if self.per_example:
      each = losses.pair_weights(batch, each)[:, None] * each
    return jnp.sum(coefficients * each)
