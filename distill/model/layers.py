"""T5's layers, masks and position bias, with T5X's parameters.

Suffixes of names are shapes: B batch, L length, E embed, F mlp, V vocab, H
heads, Q and K query and key positions, D width of a head. In keys and values,
the heads come before the length, so that a cache is read without a transpose.
"""

import functools
import operator
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from distill.model.config import T5Config

NUM_BUCKETS = 32
MAX_DISTANCE = 128
# T5X's bias of a masked position. It is finite to avoid NaN in masked rows.
_MASKED = -1e10

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
    if _platform() == "tpu":
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


def _platform() -> str:
  """Returns the platform of the mesh in use, or without one of all devices."""
  device = jax.sharding.get_abstract_mesh().abstract_device
  return device.platform if device else jax.default_backend()


class KeysValues(NamedTuple):
  """Keys and values, each [batch, heads, length, head_dim]."""

  keys: jax.Array
  values: jax.Array


def position_buckets(
  relative: np.ndarray, *, bidirectional: bool
) -> np.ndarray:
  """Returns T5's bucket of each relative position (key minus query).

  Half of the buckets have one distance each. The others grow by a constant
  factor up to `MAX_DISTANCE`. The last has all greater distances.
  """
  count = NUM_BUCKETS
  first = np.zeros_like(relative)
  distance = np.maximum(-relative, 0)
  if bidirectional:
    count //= 2
    first = np.where(relative > 0, count, 0)
    distance = np.abs(relative)
  exact = count // 2
  growing = count - exact
  starts = exact * (MAX_DISTANCE / exact) ** (np.arange(1, growing) / growing)
  # Distances are integers, so the margin only corrects rounding at the start.
  beyond = exact + np.searchsorted(starts - 1e-6, distance, side="right")
  return first + np.where(distance < exact, distance, beyond)


class RelativePositionBias(nn.Module):
  """A learned bias of attention logits for each head and bucket."""

  num_heads: int
  bidirectional: bool

  def setup(self) -> None:
    """Declares `rel_embedding` [heads, buckets]."""
    init = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
    self.rel_embedding = self.param(
      "rel_embedding",
      nn.with_logical_partitioning(init, ("heads", "relpos_buckets")),
      (self.num_heads, NUM_BUCKETS),
      jnp.float32,
    )

  def __call__(self, length: int) -> jax.Array:
    """Returns the biases [1, heads, length, length] of whole sequences."""
    bias = self._by_relative_position(length)
    width = bias.shape[-1]
    # Padding each row by one shifts row q by q: out[q, j] = bias[j - q]. The
    # gradient of a gather would be a slow scatter.
    rows = jnp.broadcast_to(bias[:, None], (self.num_heads, length, width))
    flat = jnp.pad(rows, ((0, 0), (0, 0), (0, 1))).reshape(self.num_heads, -1)
    skewed = flat[:, : length * width].reshape(self.num_heads, length, width)
    return skewed[None, :, :, length - 1 :]

  def row(self, position: jax.Array, length: int) -> jax.Array:
    """Returns the biases [1, heads, 1, length] of the query at `position`."""
    bias = self._by_relative_position(length)
    start = length - 1 - position
    return jax.lax.dynamic_slice_in_dim(bias, start, length, axis=1)[
      None, :, None
    ]

  def _by_relative_position(self, length: int) -> jax.Array:
    """Returns [heads, 2·length - 1] by relative position, ascending."""
    relative = np.arange(1 - length, length)
    buckets = position_buckets(relative, bidirectional=self.bidirectional)
    return jnp.take(self.rel_embedding, buckets, axis=1)


def key_mask(tokens: jax.Array) -> jax.Array:
  """Returns [batch, 1, 1, length], False for keys that are padding."""
  return (tokens > 0)[:, None, None, :]


def causal_mask(length: int) -> jax.Array:
  """Returns [1, 1, length, length], False for keys after the query."""
  return jnp.tril(jnp.ones((length, length), jnp.bool_))[None, None]


def segment_mask(query_ids: jax.Array, key_ids: jax.Array) -> jax.Array:
  """Returns [batch, 1, Q, K], True for keys of the query's example."""
  return (query_ids[:, :, None] == key_ids[:, None, :])[:, None]


class Attention(nn.Module):
  """Multi-head attention with T5's unscaled logits.

  The query's initialiser has the factor 1/√head_dim instead, which is
  equivalent with Adafactor.
  """

  config: T5Config

  def setup(self) -> None:
    """Declares the kernels `query`, `key`, `value`, `out`."""
    cfg = self.config
    project = functools.partial(
      Dense,
      cfg.num_heads * cfg.head_dim,
      ("embed", "joined_kv"),
      cfg.dtype,
    )
    query_init = nn.initializers.variance_scaling(
      1.0 / cfg.head_dim, "fan_in", "normal"
    )
    self.query = project(kernel_init=query_init)
    self.key = project(kernel_init=FAN_IN_NORMAL)
    self.value = project(kernel_init=FAN_IN_NORMAL)
    self.out = Dense(
      cfg.emb_dim,
      ("joined_kv", "embed"),
      cfg.dtype,
      kernel_init=FAN_IN_NORMAL,
    )
    self.dropout = dropout(cfg)

  def keys_values(self, inputs: jax.Array) -> KeysValues:
    """Projects [batch, length, embed] to keys and values."""
    return KeysValues(
      self._split_heads(self.key(inputs)), self._split_heads(self.value(inputs))
    )

  def __call__(
    self,
    inputs: jax.Array,
    attended: KeysValues,
    mask: jax.Array,
    bias: jax.Array | None = None,
    *,
    deterministic: bool,
  ) -> jax.Array:
    """Attends from `inputs` [batch, Q, embed] and returns that shape.

    `mask` (False for hidden keys) and `bias` broadcast to
    [batch, heads, Q, K].
    """
    cfg = self.config
    query_BxHxQxD = self._split_heads(self.query(inputs))
    dtype = jnp.float32 if cfg.float32_attention_logits else cfg.dtype
    logits_BxHxQxK = jnp.einsum(
      "bhqd,bhkd->bhqk",
      query_BxHxQxD,
      attended.keys,
      preferred_element_type=dtype,
    )
    shift = jnp.where(mask, 0.0, _MASKED)
    if bias is not None:
      shift = shift + bias
    logits_BxHxQxK += shift.astype(dtype)
    weights_BxHxQxK = jax.nn.softmax(logits_BxHxQxK).astype(cfg.dtype)
    weights_BxHxQxK = self.dropout(weights_BxHxQxK, deterministic=deterministic)
    mixed_BxQxHxD = jnp.einsum(
      "bhqk,bhkd->bqhd", weights_BxHxQxK, attended.values
    )
    return self.out(mixed_BxQxHxD.reshape(*inputs.shape[:2], -1))

  def _split_heads(self, x: jax.Array) -> jax.Array:
    """Returns [batch, heads, length, head_dim] of [batch, length, joined]."""
    cfg = self.config
    x = x.reshape(*x.shape[:2], cfg.num_heads, cfg.head_dim)
    x = nn.with_logical_constraint(x, ("batch", "length", "heads", "kv"))
    return x.transpose(0, 2, 1, 3)
