"""Parameters from a checkpoint of any format, onto the mesh."""

import concurrent.futures
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from distill import errors
from distill.checkpoint_formats import checking
from distill.checkpoint_formats.tensors import Checkpoint, Index, Tensor

# Arrays read at the same time: a store such as gs:// takes long to answer.
_READERS = 4


def load_params(
  checkpoint: Checkpoint,
  abstract_params: Any,
  config: Any = None,
  allow_missing: str | None = None,
) -> tuple[Any, list[str]]:
  """Returns parameters, and the names of those that are not there, as `None`.

  A host reads no more of an array than its own devices hold, and casts it to
  the type it is to have.

  Args:
    checkpoint: As `opening.open_checkpoint` returns it.
    abstract_params: A tree of shapes, types and shardings.
    config: The network's `T5Config`; None checks the parameters alone.
    allow_missing: See `checking.check`.

  Raises:
    UserError: The checkpoint is of another network, holds numbers that are not
      finite, or cannot be read.
  """
  wanted = traverse_util.flatten_dict(abstract_params, sep="/")
  shapes = {name: tuple(leaf.shape) for name, leaf in wanted.items()}
  missing = checking.check(checkpoint, shapes, config, allow_missing)
  with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
    reading = {
      name: pool.submit(_place, checkpoint.tensors[name], leaf)
      for name, leaf in wanted.items()
      if name not in missing
    }
    try:
      found = {name: future.result() for name, future in reading.items()}
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise
  found |= dict.fromkeys(missing)
  return traverse_util.unflatten_dict(found, sep="/"), missing


def _place(tensor: Tensor, leaf: Any) -> jax.Array:
  """Returns the array with the sharding and the type of `leaf`."""
  parts: dict[str, np.ndarray] = {}

  def part(index: Index) -> np.ndarray:
    # Devices that hold the same part share one reading of it.
    if str(index) not in parts:
      array = tensor.read(index)
      check_finite(tensor, array)
      parts[str(index)] = array.astype(leaf.dtype, copy=False)
    return parts[str(index)]

  return jax.make_array_from_callback(leaf.shape, leaf.sharding, part)


def check_finite(tensor: Tensor, array: np.ndarray) -> None:
  """Raises UserError if a part of a tensor has a NaN or an infinity."""
  finite = np.isfinite(array)
  if not finite.all():
    raise errors.UserError(
      f"{tensor.place} has numbers that are not finite.",
      expected="weights that can be trained",
      found=f"{finite.size - np.count_nonzero(finite):,} NaN or infinite of "
      f"{finite.size:,} that were read",
      remedy="take an earlier checkpoint, from before its training diverged",
    )
