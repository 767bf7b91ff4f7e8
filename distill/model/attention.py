"""T5's attention, with its masks and its relative position bias.

Suffixes of names are shapes: B batch, H heads, Q and K query and key positions,
D width of a head. In keys and values, the heads come before the length, so that
a cache is read without a transpose.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from distill.model import layers
from distill.model.config import T5Config

NUM_BUCKETS = 32
MAX_DISTANCE = 128
# T5X's bias of a masked position. It is finite to avoid NaN in masked rows.
_MASKED = -1e10


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
      layers.Dense,
      cfg.num_heads * cfg.head_dim,
      ("embed", "joined_kv"),
      cfg.dtype,
    )
    query_init = nn.initializers.variance_scaling(
      1.0 / cfg.head_dim, "fan_in", "normal"
    )
    self.query = project(kernel_init=query_init)
    self.key = project(kernel_init=layers.FAN_IN_NORMAL)
    self.value = project(kernel_init=layers.FAN_IN_NORMAL)
    self.out = layers.Dense(
      cfg.emb_dim,
      ("joined_kv", "embed"),
      cfg.dtype,
      kernel_init=layers.FAN_IN_NORMAL,
    )
    self.dropout = layers.dropout(cfg)

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
