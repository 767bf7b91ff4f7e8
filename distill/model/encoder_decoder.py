"""The student model: its network, its loss and its predictions."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from distill import errors
from distill.model import losses
from distill.model.decoding import Decodes, Decoding, reorder_rows
from distill.model.decoding.forcing import force_prefix, without_prefix
from distill.model.network import DecodingCache, Transformer
from distill.model.objective import Objective

Params = Any
# Features of rows with several segments.
_SEGMENTS = (
  "encoder_segment_ids",
  "decoder_segment_ids",
  "decoder_example_ids",
)


@dataclasses.dataclass(frozen=True)
class EncoderDecoderModel:
  """Pure functions of parameters and batches, with T5X's field names.

  Attributes:
    module: The network.
    input_vocabulary: The vocabulary of the inputs; not used here.
    output_vocabulary: The vocabulary of the targets; not used here.
    z_loss: The coefficient of the z-loss in each token's loss.
    label_smoothing: The probability spread over the wrong tokens, below 1.
    objective: The loss as a function of the losses of tokens.
    decoding: The decoding method.

  Raises:
    UserError: `label_smoothing` is out of range.
  """

  module: Transformer
  input_vocabulary: Any
  output_vocabulary: Any
  z_loss: float = 1e-4
  label_smoothing: float = 0.0
  objective: Objective = Objective()
  decoding: Decoding = Decoding()

  def __post_init__(self) -> None:
    errors.require(
      "LABEL_SMOOTHING",
      self.label_smoothing,
      0.0 <= self.label_smoothing < 1.0,
      "at least 0, below 1",
      "set the macro LABEL_SMOOTHING",
    )

  def init(
    self, rng: jax.Array, batch_shapes: Mapping[str, Sequence[int]]
  ) -> dict[str, Any]:
    """Returns `{'params': …}` in float32, boxed with logical axis names.

    Args:
      rng: The key of the random weights.
      batch_shapes: `(batch, length)` of each feature. The parameters do not
        depend on it, but a mesh may need a batch that its devices divide.
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

    Both are sums over rows, so that microbatches can be added.

    Args:
      params: The network's parameters.
      batch: The rows of the global batch to sum over.
      coefficients: The coefficients c of these rows, [batch, length].
      dropout_rng: The key of the dropout; None turns it off.
    """
    objective = self.objective
    logits = self._logits(params, batch, dropout_rng)
    with jax.named_scope("loss"):
      each, z_losses = objective.token_losses(
        batch, logits, self.z_loss, self.label_smoothing
      )
      groups = len(objective.group_weights)
      sums = losses.loss_sums(batch, logits, each, z_losses, groups)
      return objective.loss(batch, coefficients, each), sums

  def decode_batch(self, params: Params, batch: losses.Batch) -> Decodes:
    """Decodes a batch by `decoding`; each input is encoded once.

    Args:
      params: The network's parameters.
      batch: `encoder_input_tokens` [batch, length], in which rows of padding
        are not decoded; `decoder_input_tokens`, of which only the length is
        used; and optionally `example_index` [batch], which seeds the samples
        (the default index is the row), and `decoder_prefix_tokens` [batch,
        length], with which every decode begins. The length includes them, the
        decodes are returned without them.
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
    prefix = batch.get("decoder_prefix_tokens")
    decodes = self.decoding(
      decode_step if prefix is None else force_prefix(decode_step, prefix),
      cache,
      ~jnp.any(inputs > 0, axis=1),
      length,
      example_index=jnp.arange(len(inputs)) if index is None else index,
      reorder=_reorder,
    )
    return decodes if prefix is None else without_prefix(decodes, prefix)

  def score_batch(
    self, params: Params, batch: losses.Batch
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the log-likelihoods of the targets, as T5X's `score_batch` does.

    Returns:
      The sum of the natural log-probabilities of each row's targets without
      padding, [batch] float32, with no z-loss and no smoothing; and the number
      of these targets, [batch].
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
    """Returns the logits of teacher forcing, [batch, length, vocab]."""
    return self.module.apply(
      {"params": params},
      batch["encoder_input_tokens"],
      batch["decoder_input_tokens"],
      batch["decoder_target_tokens"],
      **{name: batch[name] for name in _SEGMENTS if name in batch},
      enable_dropout=dropout_rng is not None,
      rngs=None if dropout_rng is None else {"dropout": dropout_rng},
    )


def _reorder(cache: DecodingCache, chosen: jax.Array) -> DecodingCache:
  """Returns the cache of the chosen beams, which share their input."""
  return cache._replace(own=reorder_rows(cache.own, chosen))
