"""Reads and writes Orbax's format.

This project and T5X both write the parameters into an item named `state`.
"""

import json
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util

from distill import errors
from distill.checkpoint_formats import t5x, tensors
from distill.checkpoint_formats.tensors import Checkpoint, Tensor

STATE = "state"
# The prefix of the parameters and the name of the step in each format.
_WRITERS = {
  "this project's format": ("params/", "step"),
  "T5X's Orbax format": ("target/", "state/step"),
}


def read(folder: epath.Path) -> Checkpoint:
  """Opens a `checkpoint_<step>` folder.

  Raises:
    UserError: It has no parameters.
  """
  arrays = _arrays(folder / STATE)
  for writer, (prefix, step) in _WRITERS.items():
    params = {
      name.removeprefix(prefix): tensor
      for name, tensor in arrays.items()
      if name.startswith(prefix)
    }
    if params:
      return Checkpoint(
        path=str(folder),
        format=writer,
        tensors=t5x.unscanned(params, str(folder)),
        step=int(arrays[step].read()) if step in arrays else None,
      )
  raise errors.UserError(
    f"'{folder}' holds no parameters of a model.",
    expected="'params/…' or 'target/…' in its item 'state'",
    found=", ".join(sorted({name.split("/")[0] for name in arrays})),
    remedy="name a checkpoint of this project's or of T5X's",
  )


def _arrays(state: epath.Path) -> dict[str, Tensor]:
  """Returns all arrays of an item by their paths in the tree."""
  try:
    tree = ocp.PyTreeCheckpointHandler().metadata(state).tree
    settings = json.loads((state / "_METADATA").read_text())
  except (OSError, ValueError, KeyError) as error:
    raise errors.UserError(
      f"'{state}' is not an item that Orbax wrote.",
      expected="_METADATA and the arrays that it names",
      found=str(error).splitlines()[0],
      remedy="copy the checkpoint again, or take another one",
    ) from error
  driver = "zarr3" if settings.get("use_zarr3") else "zarr"
  is_ocdbt = ocp.type_handlers.is_ocdbt_checkpoint(state)
  base = tensors.kvstore(str(state))
  arrays = {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    if not hasattr(leaf, "shape"):
      continue
    store = (
      {"driver": "ocdbt", "base": base, "path": f"{leaf.name}/"}
      if is_ocdbt
      else tensors.kvstore(str(state / leaf.name))
    )
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    arrays[name] = tensors.zarr_array(
      f"{state}: {name}",
      store,
      tuple(leaf.shape),
      np.dtype(leaf.dtype),
      driver,
    )
  return arrays


# The limit on copies in flight; mT5-XXL's embedding takes 4.1 GB.
_CONCURRENT_GB = 5


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
  """Writes `checkpoint_<step>` into a folder, as this project saves it.

  All weights are in memory at once.

  Raises:
    UserError: A weight is not finite.
  """
  step = checkpoint.step or 0
  # Orbax copies all NumPy arrays at once, but JAX arrays one after another.
  [host, *_] = jax.local_devices(backend="cpu")
  params = {
    name: jax.device_put(tensor.read_finite(), host)
    for name, tensor in checkpoint.tensors.items()
  }
  state = {
    "params": traverse_util.unflatten_dict(params, sep="/"),
    "step": np.asarray(step, np.int32),
  }
  handler = ocp.PyTreeCheckpointHandler(save_concurrent_gb=_CONCURRENT_GB)
  with ocp.CheckpointManager(
    folder,
    item_names=(STATE,),
    item_handlers={STATE: handler},
    options=ocp.CheckpointManagerOptions(
      step_prefix="checkpoint",
      # An asynchronous save would first copy all weights.
      enable_async_checkpointing=False,
    ),
  ) as manager:
    args = {STATE: ocp.args.PyTreeSave(state)}
    manager.save(step, args=ocp.args.Composite(**args), force=True)
