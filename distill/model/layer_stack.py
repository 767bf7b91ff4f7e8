"""A stack of equal layers, unrolled or as one scan.

Unrolled, the program has the code of every layer. As a scan it has the code of
one, so that it is smaller and compiles faster. Parameters, checkpoints and the
optimizer's state are the same in both forms: they keep one entry for each
layer, and a scan stacks them inside the step.

In both forms, a layer may keep fewer activations for the backward pass, which
then computes them again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

# What each policy of rematerialization keeps of a layer beside its input.
_KEPT = {
  "minimal": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
  "full": jax.checkpoint_policies.nothing_saveable,
}

Block = Callable[[Any, jax.Array], jax.Array]


def run_layers(
  layers: Sequence[nn.Module],
  block: Block,
  x: jax.Array,
  dtype: str | None,
  remat_policy: str = "none",
) -> jax.Array:
  """Returns x after every layer, of the same shape.

  The results of both forms are equal up to rounding, but for dropout, whose
  masks differ.

  Args:
    layers: Bound modules with parameters of the same names and shapes.
    block: `block(layer, x)` returns the next x.
    x: The input of the first layer.
    dtype: The type of the computation, in which a scan stacks the parameters.
      None unrolls the layers.
    remat_policy: What the gradient keeps of each layer, as `T5Config` says.
  """
  if remat_policy != "none":
    # In a loop, the barriers against merging both computations are not needed.
    unrolled = dtype is None
    kept = _KEPT[remat_policy]
    block = nn.remat(block, policy=kept, prevent_cse=unrolled)
  first = layers[0]
  if dtype is None or first.is_initializing():
    for layer in layers:
      x = block(layer, x)
    return x

  def stack(*leaves: jax.Array) -> jax.Array:
    return jnp.stack([leaf.astype(dtype) for leaf in leaves])

  params = jax.tree.map(stack, *(layer.variables["params"] for layer in layers))
  keys = None
  if first.has_rng("dropout"):
    keys = jax.random.split(first.make_rng("dropout"), len(layers))
  apply = nn.apply(block, first.clone(parent=None, name=None))

  def body(x: jax.Array, part: Any) -> tuple[jax.Array, None]:
    own, key = part
    rngs = None if key is None else {"dropout": key}
    return apply({"params": own}, x, rngs=rngs), None

  return jax.lax.scan(body, x, (params, keys))[0]
