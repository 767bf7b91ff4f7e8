"""The configuration of a T5 network, with T5X's field names.

This module does not import JAX.
"""

import dataclasses

from distill import errors
from distill.errors import PositiveInt

DTYPES = ("float32", "bfloat16")
# What the backward pass computes again: nothing, all but the products of the
# weights, or all of each layer.
REMAT_POLICIES = ("none", "minimal", "full")
# Names of functions in flax.linen, and 'linear', the identity.
ACTIVATIONS = ("linear", "relu", "gelu", "silu", "swish", "tanh", "sigmoid")


@dataclasses.dataclass(frozen=True)
class T5Config:
  """Hyperparameters of an encoder-decoder T5.

  Attributes:
    vocab_size: The number of rows of the embedding. It is usually rounded up
      from the vocabulary's size, so that it divides by the number of devices.
    dtype: The type of the computation, 'float32' or 'bfloat16'. Parameters,
      softmax and output logits are float32.
    emb_dim: The width of the residual stream.
    num_heads: The number of attention heads.
    num_encoder_layers: The number of layers of the encoder.
    num_decoder_layers: The number of layers of the decoder.
    head_dim: The width of one head; `num_heads * head_dim` may differ from
      `emb_dim`.
    mlp_dim: The width of the feed-forward layer.
    mlp_activations: The activations of the branches, which are multiplied:
      ('gelu', 'linear') in T5.1.1, ('relu',) in T5.1.0.
    dropout_rate: The probability that a unit is dropped in training.
    logits_via_embedding: Whether the embedding is also the output layer, as in
      T5.1.0.
    float32_attention_logits: Whether attention logits and their softmax are
      float32 under bfloat16. T5X's default is False.
    scan_layers: Whether training and scoring run the layers as one scan, see
      `layer_stack`. Parameters and checkpoints do not depend on it.
    remat_policy: What the gradient keeps of each layer: 'none' keeps all
      activations; 'minimal' keeps the products with weights, and 'full' the
      layer's input alone. The backward pass computes the others again.

  Raises:
    UserError: A field has an invalid value.
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
  scan_layers: bool = False
  remat_policy: str = "none"

  @property
  def scan_dtype(self) -> str | None:
    """The type in which a scan stacks parameters; None without a scan."""
    return self.dtype if self.scan_layers else None

  def __post_init__(self) -> None:
    names = self.mlp_activations
    counts = {
      field.name: getattr(self, field.name)
      for field in dataclasses.fields(self)
      if field.type is PositiveInt
    }
    checks = {
      name: (isinstance(count, int) and count >= 1, "a whole number, 1 or more")
      for name, count in counts.items()
    } | {
      "dtype": (self.dtype in DTYPES, "one of " + ", ".join(DTYPES)),
      "remat_policy": (
        self.remat_policy in REMAT_POLICIES,
        "one of " + ", ".join(REMAT_POLICIES),
      ),
      "dropout_rate": (0.0 <= self.dropout_rate < 1.0, "at least 0, below 1"),
      "mlp_activations": (
        not isinstance(names, str)
        and bool(names)
        and set(names) <= set(ACTIVATIONS),
        "a tuple of names out of " + ", ".join(ACTIVATIONS),
      ),
    }
    for name, (ok, expected) in checks.items():
      remedy = f"bind `T5Config.{name}` in the model's gin file"
      errors.require(
        f"T5Config.{name}", getattr(self, name), ok, expected, remedy
      )
    # gin may bind a list, but a configuration must be hashable.
    object.__setattr__(self, "mlp_activations", tuple(names))
