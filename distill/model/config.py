"""The shape of a T5 network, with T5X's field names and no JAX."""

import dataclasses

from distill import errors
from distill.annotations import PositiveInt

DTYPES = ("float32", "bfloat16")
# Names of functions in flax.linen; 'linear' is the ungated branch.
ACTIVATIONS = ("linear", "relu", "gelu", "silu", "swish", "tanh", "sigmoid")

_COUNTS = (
  "vocab_size",
  "emb_dim",
  "num_heads",
  "num_encoder_layers",
  "num_decoder_layers",
  "head_dim",
  "mlp_dim",
)


@dataclasses.dataclass(frozen=True)
class T5Config:
  """Hyperparameters of an encoder-decoder T5.

  Attributes:
    vocab_size: Rows of the embedding; a little above the vocabulary's size is
      usual, so that it divides by the devices.
    dtype: Of the computation, 'float32' or 'bfloat16'. Parameters, softmax and
      output logits are float32.
    emb_dim: Width of the residual stream.
    num_heads: Attention heads.
    num_encoder_layers: Layers of the encoder.
    num_decoder_layers: Layers of the decoder.
    head_dim: Width of one head; heads need not tile `emb_dim`.
    mlp_dim: Width of the feed-forward layer.
    mlp_activations: One branch each, multiplied: ('gelu', 'linear') is T5.1.1,
      ('relu',) is T5.1.0.
    dropout_rate: Probability that a unit is dropped in training.
    logits_via_embedding: Whether the embedding is the output layer too, as in
      T5.1.0.
    float32_attention_logits: Whether attention logits and their softmax are
      float32 under bfloat16. T5X's default is False.

  Raises:
    UserError: A field has a value that no network can be built from.
  """

  vocab_size: PositiveInt
  dtype: str = "float32"
  emb_dim: PositiveInt = 512
  num_heads: PositiveInt = 8
  num_encoder_layers: PositiveInt = 6
  num_decoder_layers: PositiveInt = 6
  head_dim: PositiveInt = 64
  mlp_dim: PositiveInt = 2048
  mlp_activations: tuple[str, ...] = ("relu",)
  dropout_rate: float = 0.1
  logits_via_embedding: bool = False
  float32_attention_logits: bool = True

  def __post_init__(self) -> None:
    for name in _COUNTS:
      value = getattr(self, name)
      if not isinstance(value, int) or value < 1:
        raise _unusable(name, "a whole number of at least 1", value)
    if self.dtype not in DTYPES:
      raise _unusable("dtype", "one of " + ", ".join(DTYPES), self.dtype)
    if not 0.0 <= self.dropout_rate < 1.0:
      raise _unusable("dropout_rate", "at least 0, below 1", self.dropout_rate)
    activations = self.mlp_activations
    if (
      isinstance(activations, str)
      or not activations
      or not set(activations) <= set(ACTIVATIONS)
    ):
      raise _unusable(
        "mlp_activations",
        "a tuple of names out of " + ", ".join(ACTIVATIONS),
        activations,
      )
    # gin may hand over a list, and a configuration must be hashable.
    object.__setattr__(self, "mlp_activations", tuple(activations))


def _unusable(name: str, expected: str, found: object) -> errors.UserError:
  return errors.UserError(
    f"T5Config.{name} cannot be used.",
    expected=expected,
    found=repr(found),
    remedy=f"bind `T5Config.{name}` in the model's gin file",
  )
