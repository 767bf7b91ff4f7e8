"""The encoder: its layers, the position bias that they share, the last norm."""

import jax
from flax import linen as nn

from distill.model import attention, layers
from distill.model.config import T5Config


class EncoderLayer(nn.Module):
  """Self-attention and feed-forward, each normalised first and added."""

  config: T5Config

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    mask: jax.Array,
    bias: jax.Array,
    *,
    deterministic: bool,
  ) -> jax.Array:
    """Returns the residual stream [batch, length, embed] after this layer."""
    cfg = self.config
    dropout = layers.dropout(cfg)
    y = layers.RMSNorm(cfg.dtype, name="pre_attention_layer_norm")(x)
    attend = attention.Attention(cfg, name="attention")
    y = attend(
      y, attend.keys_values(y), mask, bias, deterministic=deterministic
    )
    x = x + dropout(y, deterministic=deterministic)
    y = layers.RMSNorm(cfg.dtype, name="pre_mlp_layer_norm")(x)
    y = layers.Mlp(cfg, name="mlp")(y, deterministic=deterministic)
    x = x + dropout(y, deterministic=deterministic)
    return layers.constrain_hidden(x)


class Encoder(nn.Module):
  """The stack of encoder layers between its dropouts, and the last norm."""

  config: T5Config

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array, *, deterministic: bool
  ) -> jax.Array:
    """Returns the encoded inputs [batch, length, embed] of embedded ones."""
    cfg = self.config
    bias = attention.RelativePositionBias(
      cfg.num_heads, bidirectional=True, name="relpos_bias"
    )(x.shape[1])
    x = layers.dropout(cfg)(x, deterministic=deterministic)
    for i in range(cfg.num_encoder_layers):
      layer = EncoderLayer(cfg, name=f"layers_{i}")
      x = layer(x, mask, bias, deterministic=deterministic)
    x = layers.RMSNorm(cfg.dtype, name="encoder_norm")(x)
    # T5X's one dropout that does not share its mask along the length.
    return nn.Dropout(cfg.dropout_rate)(x, deterministic=deterministic)
