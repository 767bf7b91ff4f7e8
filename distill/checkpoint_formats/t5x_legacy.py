"""T5X's legacy format: a msgpack file, and a zarr folder for each array.

The file `checkpoint` is T5X's optimizer state, in which a spec of tensorstore
stands for each array that has a folder; small arrays, or all of them in the
single-file form, lie in the file itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes  # noqa: F401 - lets NumPy know bfloat16 by name
import numpy as np
from etils import epath
from flax import serialization

from distill import errors
from distill.checkpoint_formats import scanned, tensorstore_arrays
from distill.checkpoint_formats.tensors import Checkpoint, Tensor, in_memory

FILE = "checkpoint"


def read(path: epath.Path) -> Checkpoint:
  """Opens a folder that has T5X's file `checkpoint`, or such a file.

  Raises:
    UserError: The file is none of T5X's.
  """
  file = path / FILE if path.is_dir() else path
  state = _state(file)
  tensors = {
    name: _tensor(file, name, leaf) for name, leaf in _leaves(state["target"])
  }
  step = state.get("state", {}).get("step")
  return Checkpoint(
    path=str(path),
    format="T5X's legacy format",
    tensors=scanned.unscanned(tensors, str(path)),
    step=None if step is None else int(step),
  )


def _state(file: epath.Path) -> Mapping[str, Any]:
  try:
    contents = serialization.msgpack_restore(file.read_bytes())
    # Since version 1 there is a level above it.
    state = contents.get("optimizer", contents)
    if "target" in state:
      return state
    found = ", ".join(map(str, state))
  except Exception as error:  # msgpack has no common class of errors
    found = f"{type(error).__name__}: {error}"
  raise errors.UserError(
    f"'{file}' is no checkpoint of T5X's.",
    expected="a whole msgpack file with 'optimizer/target'",
    found=found,
    remedy="copy it again; a checkpoint of Mesh TensorFlow must be converted "
    "with T5X's convert_tf_checkpoint first",
  )


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[Any]:
  for key, value in tree.items():
    if isinstance(value, dict) and "kvstore" not in value:
      yield from _leaves(value, f"{prefix}{key}/")
    else:
      yield f"{prefix}{key}", value


def _tensor(file: epath.Path, name: str, leaf: Any) -> Tensor:
  if not isinstance(leaf, dict):
    return in_memory(np.asarray(leaf), f"{file}: {name}")
  # Where the path stands depends on the version of tensorstore, and of what
  # the store was (file, gfile, gcs) only that it was beside the file counts.
  inside = (leaf["kvstore"].get("path") or leaf["path"]).strip("/")
  folder = file.parent / inside
  return tensorstore_arrays.zarr_array(
    str(folder),
    tensorstore_arrays.kvstore(str(folder)),
    tuple(map(int, leaf["metadata"]["shape"])),
    np.dtype(leaf["dtype"]),
  )
