"""T5X's encoder-decoder model with this project's loss and loss groups.

The one module that imports T5X, and nothing but the T5X half of gin_configs
imports it. The loss is that of `distill.model.losses`, so that both trainers
minimise the same function.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import clu.metrics
import jax
import jax.numpy as jnp
import t5x.decoding
from t5x import models, optimizers, trainer

from distill import errors
from distill.data import feature_converters, joined_targets, prefixes
from distill.model import losses
from distill.model.decoding import Decoding
from distill.model.objective import Objective
from distill.training.optimizers import OptimizerFactory
from distill.training.schedules import Schedule

_SEGMENT_IDS = "_segment_ids"


class EncoderDecoderModel(models.EncoderDecoderModel):
  """T5X's model whose loss is an `Objective`.

  Its arguments are T5X's, but for the project's own two in the places of
  `loss_normalizing_factor` and of `decode_fn` with its parameters.

  Args:
    objective: How the losses of tokens make up the loss.
    decoding: How predictions are decoded; T5X chooses the seed of samples.

  Raises:
    UserError: The objective depends on the step, which T5X's models never see,
      or PREFIX_SIDE = 'decoder', since T5X's decoder cannot be given tokens,
      or SHARE_INPUTS, since T5X's rows have one target for each input.
  """

  FEATURE_CONVERTER_CLS = feature_converters.LossGroupFeatureConverter

  def __init__(
    self,
    module: Any,
    input_vocabulary: Any,
    output_vocabulary: Any,
    optimizer_def: Any,
    objective: Objective | None = None,
    decoding: Decoding | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
  ) -> None:
    objective = objective or Objective()
    if objective.steps is not None:
      raise errors.UserError(
        "T5X tells its models no step, so α cannot follow a schedule.",
        expected="ALPHA_END = None",
        found=f"ALPHA_STEPS = {objective.steps}",
        remedy="train with `distill.train`, whose steps know their number",
      )
    if prefixes.on_decoder():
      raise errors.UserError(
        "T5X cannot begin a decode with the prefix of a task.",
        expected="PREFIX_SIDE = 'input'",
        found="'decoder'",
        remedy="use `distill.train`, `distill.evaluate` and `distill.infer`",
      )
    if joined_targets.shares_inputs():
      raise errors.UserError(
        "T5X cannot train several targets of one input in one row.",
        expected="SHARE_INPUTS = False",
        found="True",
        remedy="train with `distill.train`",
      )
    decoding = decoding or Decoding()
    super().__init__(
      module=module,
      input_vocabulary=input_vocabulary,
      output_vocabulary=output_vocabulary,
      optimizer_def=optimizer_def,
      decode_fn=decode_function(decoding),
      label_smoothing=label_smoothing,
      z_loss=z_loss,
      default_decoder_params=models.DecoderParams(
        num_decodes=decoding.num_decodes
      ),
    )
    self._objective = objective

  def loss_fn(
    self,
    params: Any,
    batch: Mapping[str, jax.Array],
    dropout_rng: jax.Array | None,
  ) -> tuple[jax.Array, dict[str, Any]]:
    """Returns the loss of the global batch, and T5X's metrics.

    Where groups are weighed, `loss/label` and the others' are their unweighted
    means. T5X's losses per token are left out: the loss is a mean already.
    """
    targets = batch["decoder_target_tokens"]
    logits = self._compute_logits(params, batch, dropout_rng)
    token_losses, z_losses = self._objective.token_losses(
      batch, logits, self._z_loss, self._label_smoothing
    )
    coefficients = self._objective.coefficients(batch)
    loss = self._objective.loss(batch, coefficients, token_losses)
    metrics = self._compute_metrics(
      logits=logits,
      targets=targets,
      mask=losses.token_weights(batch),
      loss=loss,
      z_loss=jnp.sum(coefficients * z_losses),
      segment_ids=_segment_ids(batch),
    )
    kept = {
      name: metric
      for name, metric in metrics.items()
      if "loss_per_" not in name
    }
    return loss, kept | self._group_losses(batch, logits, token_losses)

  def _group_losses(
    self,
    batch: Mapping[str, jax.Array],
    logits: jax.Array,
    token_losses: jax.Array,
  ) -> dict[str, Any]:
    groups = self._objective.groups_apart
    if not groups:
      return {}  # One group: its loss is the loss.
    hits = losses.hits(logits, batch["decoder_target_tokens"])
    sums = losses.loss_sums(
      batch, hits, token_losses, token_losses, max(groups) + 1
    )
    return {
      f"loss/{name}": clu.metrics.Average(
        total=sums[f"loss/{group}"], count=sums[f"tokens/{group}"]
      )
      for group, name in groups.items()
    }


def optax_optimizer(
  factory: OptimizerFactory, learning_rate_fn: Schedule
) -> optimizers.OptimizerDef:
  """Returns this trainer's optimizer for T5X, with a learning rate of its own.

  T5X's wrapper around optax ignores that of `trainer.Trainer`, but for its log.
  """
  return optimizers.OptaxWrapper(factory(learning_rate_fn))


def decode_function(decoding: Decoding) -> Callable[..., Any]:
  """Returns T5X's function that decodes so."""
  if decoding.method == "beam":
    return functools.partial(t5x.decoding.beam_search, alpha=decoding.alpha)
  return functools.partial(
    t5x.decoding.temperature_sample,
    # Without temperature T5X takes the best token; its top-1 draws among ties.
    temperature=decoding.temperature if decoding.method == "sample" else 0.0,
    topk=decoding.top_k,
    topp=decoding.top_p,
    rescale_log_probs=False,
  )


def _segment_ids(batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
  """Returns what T5X counts padding by: segments, or all that is not 0."""
  packed = {
    name.removesuffix(_SEGMENT_IDS): ids
    for name, ids in batch.items()
    if name.endswith(_SEGMENT_IDS)
  }
  names = ("encoder_input_tokens", "decoder_target_tokens")
  return packed or {name: batch[name] != 0 for name in names}


def whole_batch_trainer(
  *, trainer_cls: Callable[..., trainer.BaseTrainer], **arguments: Any
) -> trainer.BaseTrainer:
  """Returns T5X's trainer, if it takes each batch as a whole.

  T5X hands microbatches to the model one by one and adds their gradients up.
  The groups' means would then be those of a microbatch: a token of a rare
  group would weigh more where no other is with it.

  Raises:
    UserError: It has `num_microbatches` other than None or 1.
  """
  built = trainer_cls(**arguments)
  count = getattr(built, "_num_microbatches", None)
  if count in (None, 1):
    return built
  built.close()
  raise errors.UserError(
    "T5X cannot train a group-weighted loss in microbatches: it adds up their"
    " gradients, so the groups' means would not be those of the global batch.",
    expected="num_microbatches = None or 1",
    found=str(count),
    remedy="set NUM_MICROBATCHES = 1 and more MODEL_PARALLEL or fewer rows,"
    " or train with `distill.train`, whose microbatches share global means",
  )
