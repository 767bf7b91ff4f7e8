"""Orbax's format, as this project and T5X write it: an item `state`."""

import json

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from distill import errors
from distill.checkpoint_formats import paths, scanned, tensorstore_arrays
from distill.checkpoint_formats.tensors import Checkpoint, Tensor

STATE = "state"
# What the parameters and the step are called, by who wrote them.
_WRITERS = {
  "this project's format": ("params/", "step"),
  "T5X's Orbax format": ("target/", "state/step"),
}


def read(folder: epath.Path) -> Checkpoint:
  """Opens a `checkpoint_<step>` folder.

  Raises:
    UserError: It was not written to its end, or holds no parameters.
  """
  paths.check_finished(folder)
  arrays = _arrays(folder / STATE)
  for writer, (prefix, step) in _WRITERS.items():
    tensors = {
      name.removeprefix(prefix): tensor
      for name, tensor in arrays.items()
      if name.startswith(prefix)
    }
    if tensors:
      return Checkpoint(
        path=str(folder),
        format=writer,
        tensors=scanned.unscanned(tensors, str(folder)),
        step=int(arrays[step].read()) if step in arrays else None,
      )
  raise errors.UserError(
    f"'{folder}' holds no parameters of a model.",
    expected="'params/…' or 'target/…' in its item 'state'",
    found=", ".join(sorted({name.split("/")[0] for name in arrays})),
    remedy="name a checkpoint of this project's or of T5X's",
  )


def _arrays(state: epath.Path) -> dict[str, Tensor]:
  """Returns every array of an item by its path in the tree."""
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
  is_ocdbt = (state / "manifest.ocdbt").exists()
  base = tensorstore_arrays.kvstore(str(state))
  arrays = {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    if not hasattr(leaf, "shape"):
      continue
    store = (
      {"driver": "ocdbt", "base": base, "path": f"{leaf.name}/"}
      if is_ocdbt
      else tensorstore_arrays.kvstore(str(state / leaf.name))
    )
    name = jax.tree_util.keystr(path, simple=True, separator="/")
    arrays[name] = tensorstore_arrays.zarr_array(
      f"{state}: {name}",
      store,
      tuple(leaf.shape),
      np.dtype(leaf.dtype),
      driver,
    )
  return arrays
