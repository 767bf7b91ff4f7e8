"""An encoder-decoder student: its network, its loss and its predictions."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from distill import errors
from distill.model import decoding, losses
from distill.model.network import Transformer

Params = Any


@dataclasses.dataclass(frozen=True)
class EncoderDecoderModel:
  """Pure functions of parameters and batches, with T5X's field names.

  Attributes:
    module: The network.
    input_vocabulary: Vocabulary of the inputs; opaque here.
    output_vocabulary: Vocabulary of the targets; opaque here.
    z_loss: Coefficient of the z-loss in each token's loss.
    label_smoothing: Probability spread over the wrong tokens, below 1.
    loss_group_weights: w_g of each loss group, by its number.
    loss_normalization: 'token' or 'sequence', see `losses.token_coefficients`.
  """

  module: Transformer
  input_vocabulary: Any
  output_vocabulary: Any
  z_loss: float = 1e-4
  label_smoothing: float = 0.0
  loss_group_weights: tuple[float, ...] = (1.0, 1.0, 1.0)
  loss_normalization: str = "token"

  def __post_init__(self) -> None:
    if self.loss_normalization not in losses.NORMALIZATIONS:
      raise errors.UserError(
        "The loss cannot be normalised so.",
        expected="one of " + ", ".join(losses.NORMALIZATIONS),
        found=repr(self.loss_normalization),
        remedy="bind `EncoderDecoderModel.loss_normalization`",
      )
    if not 0.0 <= self.label_smoothing < 1.0:
      raise errors.UserError(
        "The label smoothing is no probability.",
        expected="at least 0, below 1",
        found=repr(self.label_smoothing),
        remedy="set the macro LABEL_SMOOTHING",
      )
    # gin may hand over a list, and a static argument of jit must be hashable.
    object.__setattr__(
      self, "loss_group_weights", tuple(self.loss_group_weights)
    )

  def init(
    self, rng: jax.Array, batch_shapes: Mapping[str, Sequence[int]]
  ) -> dict[str, Any]:
    """Returns `{'params': …}` in float32, boxed with logical axis names.

    Args:
      rng: Key of the random weights.
      batch_shapes: `(batch, length)` of each feature. The parameters do not
        depend on them, but a mesh may want the batch to divide.
    """

    def ones(feature: str) -> jax.Array:
      return jnp.ones(batch_shapes[feature], jnp.int32)

    return self.module.init(
      rng,
      ones("encoder_input_tokens"),
      ones("decoder_input_tokens"),
      ones("decoder_target_tokens"),
      enable_dropout=False,
    )

  def coefficients(self, batch: losses.Batch) -> jax.Array:
    """Returns c [batch, length] of the loss; `batch` is the global one."""
    return losses.token_coefficients(
      batch, self.loss_group_weights, self.loss_normalization
    )

  def loss_fn(
    self,
    params: Params,
    batch: losses.Batch,
    coefficients: jax.Array,
    dropout_rng: jax.Array | None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns Σ c_i · ℓ_i and the sums of `losses.loss_sums`.

    Both add up over microbatches.

    Args:
      params: The network's parameters.
      batch: The rows of the global batch to sum over.
      coefficients: c of these rows, [batch, length].
      dropout_rng: Key of the dropout; None turns it off.
    """
    logits = self.module.apply(
      {"params": params},
      batch["encoder_input_tokens"],
      batch["decoder_input_tokens"],
      batch["decoder_target_tokens"],
      encoder_segment_ids=batch.get("encoder_segment_ids"),
      decoder_segment_ids=batch.get("decoder_segment_ids"),
      enable_dropout=dropout_rng is not None,
      rngs=None if dropout_rng is None else {"dropout": dropout_rng},
    )
    token_losses, z_losses = losses.token_losses(
      logits, batch["decoder_target_tokens"], self.z_loss, self.label_smoothing
    )
    sums = losses.loss_sums(
      batch, logits, token_losses, z_losses, len(self.loss_group_weights)
    )
    return jnp.sum(coefficients * token_losses), sums

  def predict_batch(self, params: Params, batch: losses.Batch) -> jax.Array:
    """Returns greedily decoded tokens [batch, targets length], 0 after EOS."""
    tokens, _ = self.predict_batch_and_steps(params, batch)
    return tokens

  def predict_batch_and_steps(
    self, params: Params, batch: losses.Batch
  ) -> tuple[jax.Array, jax.Array]:
    """Returns what `predict_batch` does, and how many steps that took."""
    variables = {"params": params}
    inputs = batch["encoder_input_tokens"]
    length = batch["decoder_input_tokens"].shape[1]
    cache = self.module.apply(
      variables, inputs, length, method="start_decoding"
    )

    def decode_step(
      tokens: jax.Array, cache: Any, position: jax.Array
    ) -> tuple[jax.Array, Any]:
      return self.module.apply(
        variables, tokens, cache, position, method="decode_step"
      )

    return decoding.greedy_decode(
      decode_step, cache, ~jnp.any(inputs > 0, axis=1), length
    )
