"""T5's layers except attention, with T5X's parameters and initialisers.

Suffixes of names are shapes: B batch, L length, E embed, F mlp, V vocab.
"""

import functools
import operator
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn

from distill.model.config import T5Config

Initializer = Callable[..., jax.Array]

FAN_IN_NORMAL = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
FAN_IN_TRUNCATED = nn.initializers.variance_scaling(
  1.0, "fan_in", "truncated_normal"
)


def dropout(config: T5Config) -> nn.Dropout:
  """Returns dropout with one mask for all positions of a sequence."""
  return nn.Dropout(config.dropout_rate, broadcast_dims=(-2,))


def constrain_hidden(x_BxLxE: jax.Array) -> jax.Array:
  """Annotates the residual stream with its logical axes."""
  return nn.with_logical_constraint(x_BxLxE, ("batch", "length", "embed"))


class Dense(nn.Module):
  """A linear layer without bias; the kernel is [in, out]."""

  features: int
  axes: tuple[str, str]
  dtype: str
  kernel_init: Initializer = FAN_IN_TRUNCATED

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [..., in] to [..., features] in `dtype`."""
    kernel = self.param(
      "kernel",
      nn.with_logical_partitioning(self.kernel_init, self.axes),
      (x.shape[-1], self.features),
      jnp.float32,
    )
    return jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))


class RMSNorm(nn.Module):
  """T5's layer norm: the root mean square, without mean and bias."""

  dtype: str
  epsilon: float = 1e-6

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Normalises the last axis; the statistics are float32."""
    scale = self.param(
      "scale",
      nn.with_logical_partitioning(nn.initializers.ones, ("embed",)),
      (x.shape[-1],),
      jnp.float32,
    )
    x = x.astype(jnp.float32)
    mean_square = jnp.mean(jax.lax.square(x), axis=-1, keepdims=True)
    y = (x * jax.lax.rsqrt(mean_square + self.epsilon)).astype(self.dtype)
    return y * scale.astype(self.dtype)


class Mlp(nn.Module):
  """The feed-forward block: a product of activated branches, then `wo`."""

  config: T5Config

  @nn.compact
  def __call__(self, x_BxLxE: jax.Array, *, deterministic: bool) -> jax.Array:
    """Returns [batch, length, embed]."""
    cfg = self.config
    branches = []
    for i, activation in enumerate(cfg.mlp_activations):
      name = "wi" if len(cfg.mlp_activations) == 1 else f"wi_{i}"
      y_BxLxF = Dense(cfg.mlp_dim, ("embed", "mlp"), cfg.dtype, name=name)(
        x_BxLxE
      )
      if activation != "linear":
        y_BxLxF = getattr(nn, activation)(y_BxLxF)
      branches.append(y_BxLxF)
    y_BxLxF = functools.reduce(operator.mul, branches)
    y_BxLxF = dropout(cfg)(y_BxLxF, deterministic=deterministic)
    y_BxLxF = nn.with_logical_constraint(y_BxLxF, ("batch", "length", "mlp"))
    return Dense(cfg.emb_dim, ("mlp", "embed"), cfg.dtype, name="wo")(y_BxLxF)


class Embed(nn.Module):
  """The token embedding of encoder, decoder and, in T5.1.0, the logits."""

  config: T5Config

  def setup(self) -> None:
    """Declares the table [vocab, embed]."""
    self.embedding = self.param(
      "embedding",
      nn.with_logical_partitioning(
        nn.initializers.normal(stddev=1.0), ("vocab", "embed")
      ),
      (self.config.vocab_size, self.config.emb_dim),
      jnp.float32,
    )

  def __call__(self, tokens_BxL: jax.Array) -> jax.Array:
    """Returns [batch, length, embed] in `config.dtype`."""
    table_VxE = self.embedding.astype(self.config.dtype)
    if jax.default_backend() == "tpu":
      # A matrix product splits over a sharded vocabulary; a gather does not.
      one_hot = jax.nn.one_hot(
        tokens_BxL, self.config.vocab_size, dtype=table_VxE.dtype
      )
      x_BxLxE = jnp.dot(one_hot, table_VxE)
    else:
      x_BxLxE = jnp.take(table_VxE, tokens_BxL, axis=0)
    return constrain_hidden(x_BxLxE)

  def attend(self, x_BxLxE: jax.Array) -> jax.Array:
    """Returns float32 logits [batch, length, vocab]."""
    logits = jnp.dot(x_BxLxE.astype(jnp.float32), self.embedding.T)
    return logits / jnp.sqrt(self.config.emb_dim)
