"""An encoder-decoder student: its network, its loss and its predictions."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from distill import errors
from distill.model import losses
from distill.model.decoder import DecodingCache
from distill.model.decoding import Decodes, Decoding, reorder_rows
from distill.model.network import Transformer
from distill.model.objective import Objective

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
    objective: How the losses of tokens make up the loss.
    decoding: How predictions are decoded.
  """

  module: Transformer
  input_vocabulary: Any
  output_vocabulary: Any
  z_loss: float = 1e-4
  label_smoothing: float = 0.0
  objective: Objective = Objective()
  decoding: Decoding = Decoding()

  def __post_init__(self) -> None:
    if not 0.0 <= self.label_smoothing < 1.0:
      raise errors.UserError(
        "The label smoothing is no probability.",
        expected="at least 0, below 1",
        found=repr(self.label_smoothing),
        remedy="set the macro LABEL_SMOOTHING",
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

  def coefficients(
    self, batch: losses.Batch, step: jax.Array | int = 0
  ) -> jax.Array:
    """Returns c [batch, length] of the loss; `batch` is the global one."""
    return self.objective.coefficients(batch, step)

  def loss_fn(
    self,
    params: Params,
    batch: losses.Batch,
    coefficients: jax.Array,
    dropout_rng: jax.Array | None,
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Returns `Objective.loss` and the sums of `losses.loss_sums`.

    Both add up over microbatches.

    Args:
      params: The network's parameters.
      batch: The rows of the global batch to sum over.
      coefficients: c of these rows, [batch, length].
      dropout_rng: Key of the dropout; None turns it off.
    """
    logits = self._logits(params, batch, dropout_rng)
    token_losses, z_losses = self.objective.token_losses(
      batch, logits, self.z_loss, self.label_smoothing
    )
    sums = losses.loss_sums(
      batch, logits, token_losses, z_losses, len(self.objective.group_weights)
    )
    return self.objective.loss(batch, coefficients, token_losses), sums

  def decode_batch(self, params: Params, batch: losses.Batch) -> Decodes:
    """Decodes as `decoding` says, encoding each input once.

    Args:
      params: The network's parameters.
      batch: `encoder_input_tokens` [batch, length] (rows of padding are not
        decoded), `decoder_input_tokens`, of which only the length counts, and
        maybe `example_index` [batch], by which samples are drawn; without it
        by the row.
    """
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

    index = batch.get("example_index")
    return self.decoding(
      decode_step,
      cache,
      ~jnp.any(inputs > 0, axis=1),
      length,
      example_index=jnp.arange(len(inputs)) if index is None else index,
      reorder=_reorder,
    )

  def score_batch(
    self, params: Params, batch: losses.Batch
  ) -> tuple[jax.Array, jax.Array]:
    """Returns log-likelihoods of the targets, as T5X's `score_batch` does.

    They are sums of natural log-probabilities over the targets that are no
    padding (float32, no z-loss, no smoothing), and how many those are: two
    arrays [batch].
    """
    logits = self._logits(params, batch)
    token_losses, _ = losses.token_losses(
      logits, batch["decoder_target_tokens"]
    )
    weights = losses.token_weights(batch)
    scores = -jnp.sum(weights * token_losses, axis=-1)
    return scores, jnp.sum(weights > 0, axis=-1)

  def _logits(
    self,
    params: Params,
    batch: losses.Batch,
    dropout_rng: jax.Array | None = None,
  ) -> jax.Array:
    """Returns [batch, length, vocab] of teacher forcing."""
    return self.module.apply(
      {"params": params},
      batch["encoder_input_tokens"],
      batch["decoder_input_tokens"],
      batch["decoder_target_tokens"],
      encoder_segment_ids=batch.get("encoder_segment_ids"),
      decoder_segment_ids=batch.get("decoder_segment_ids"),
      enable_dropout=dropout_rng is not None,
      rngs=None if dropout_rng is None else {"dropout": dropout_rng},
    )


def _reorder(cache: DecodingCache, chosen: jax.Array) -> DecodingCache:
  """Returns the cache of the chosen beams; all share their inputs' part."""
  return cache._replace(own=reorder_rows(cache.own, chosen))
