"""The student model: its network, its loss and its predictions."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from distill import errors, loss_groups
from distill.errors import PositiveInt
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
# Features that the loss of a target needs.
_OF_TARGETS = ("decoder_target_tokens", loss_groups.MODEL_FEATURE)


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
    logits_chunk: The positions of each row whose logits training and scoring
      compute at a time; None is all of them. Then `module` must have T5's
      `with_logits` and `logits`.

  Raises:
    UserError: `label_smoothing` or `logits_chunk` is out of range.
  """

  module: Transformer
  input_vocabulary: Any
  output_vocabulary: Any
  z_loss: float = 1e-4
  label_smoothing: float = 0.0
  objective: Objective = Objective()
  decoding: Decoding = Decoding()
  logits_chunk: PositiveInt | None = None

  def __post_init__(self) -> None:
    errors.require(
      "LABEL_SMOOTHING",
      self.label_smoothing,
      0.0 <= self.label_smoothing < 1.0,
      "at least 0, below 1",
      "set the macro LABEL_SMOOTHING",
    )
    errors.require(
      "LOGITS_CHUNK",
      self.logits_chunk,
      self.logits_chunk is None
      or (isinstance(self.logits_chunk, int) and self.logits_chunk >= 1),
      "a whole number, 1 or more, or None",
      "set the macro LOGITS_CHUNK",
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

    def of_targets(targets: losses.Batch, logits: jax.Array) -> Any:
      each, z_losses = objective.token_losses(
        targets, logits, self.z_loss, self.label_smoothing
      )
      hits = losses.hits(logits, targets["decoder_target_tokens"])
      return each, z_losses, hits

    each, z_losses, hits = self._each(of_targets, params, batch, dropout_rng)
    with jax.named_scope("loss"):
      groups = len(objective.group_weights)
      sums = losses.loss_sums(batch, hits, each, z_losses, groups)
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

    def of_targets(targets: losses.Batch, logits: jax.Array) -> jax.Array:
      return losses.token_losses(logits, targets["decoder_target_tokens"])[0]

    token_losses = self._each(of_targets, params, batch)
    weights = losses.token_weights(batch)
    scores = -jnp.sum(weights * token_losses, axis=-1)
    return scores, jnp.sum(weights > 0, axis=-1)

  def _each(
    self,
    of_targets: Callable[[losses.Batch, jax.Array], Any],
    params: Params,
    batch: losses.Batch,
    dropout_rng: jax.Array | None = None,
  ) -> Any:
    """Returns `of_targets(batch, logits)` by teacher forcing.

    Args:
      of_targets: Returns arrays [batch, length] of `_OF_TARGETS` and of logits
        [batch, length, vocab]; both may be those of a chunk.
      params: The network's parameters.
      batch: The rows.
      dropout_rng: The key of the dropout; None turns it off.
    """
    variables = {"params": params}
    whole = self.logits_chunk is None
    output = self.module.apply(
      variables,
      batch["encoder_input_tokens"],
      batch["decoder_input_tokens"],
      batch["decoder_target_tokens"],
      **{name: batch[name] for name in _SEGMENTS if name in batch},
      **({} if whole else {"with_logits": False}),
      enable_dropout=dropout_rng is not None,
      rngs=None if dropout_rng is None else {"dropout": dropout_rng},
    )
    targets = {name: batch[name] for name in _OF_TARGETS if name in batch}

    def of_chunk(chunk: Any) -> Any:
      targets, hidden = chunk
      logits = self.module.apply(variables, hidden, method="logits")
      return of_targets(targets, logits)

    with jax.named_scope("loss"):
      if whole:
        return of_targets(targets, output)
      return losses.in_chunks(of_chunk, (targets, output), self.logits_chunk)


def _reorder(cache: DecodingCache, chosen: jax.Array) -> DecodingCache:
  """Returns the cache of the chosen beams, which share their input."""
  return cache._replace(own=reorder_rows(cache.own, chosen))
