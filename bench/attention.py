"""The student's attention by `jax.nn.dot_product_attention`.

That function drops no attention weights: a network with it trains as with
`layers.Attention` only at DROPOUT_RATE = 0.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from distill.model import layers


class XlaAttention(layers.Attention):
  """Attention of the same parameters, by XLA's own operations."""

  implementation: Literal["xla", "cudnn"] = "xla"

  def __call__(
    self,
    inputs: jax.Array,
    attended: layers.KeysValues,
    mask: jax.Array,
    bias: jax.Array | None = None,
    *,
    deterministic: bool,
  ) -> jax.Array:
    """Attends from `inputs` [batch, Q, embed] and returns that shape."""
    del deterministic
    query, keys, values = (
      x.transpose(0, 2, 1, 3)  # [batch, length, heads, head_dim]
      for x in (self._split_heads(self.query(inputs)), *attended)
    )
    lengths = query.shape[1], keys.shape[1]
    mixed = jax.nn.dot_product_attention(
      query,
      keys,
      values,
      bias=None if bias is None else bias.astype(query.dtype),
      mask=jnp.broadcast_to(mask, (*mask.shape[:2], *lengths)),
      scale=1.0,  # T5's logits are not scaled
      implementation=self.implementation,
    )
    return self.out(mixed.reshape(*inputs.shape[:2], -1))


class CudnnAttention(XlaAttention):
  """Attention of the same parameters, by cuDNN's fused kernel."""

  implementation: Literal["xla", "cudnn"] = "cudnn"


VARIANTS: dict[str, type[layers.Attention]] = {
  "plain": layers.Attention,
  "xla": XlaAttention,
  "cudnn": CudnnAttention,
}


def use(variant: str) -> None:
  """Makes networks attend by one of `VARIANTS` when they are next called."""
  setattr(layers, "Attention", VARIANTS[variant])  # noqa: B010
