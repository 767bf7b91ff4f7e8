"""Reads and writes T5X's legacy format, and unstacks T5X's scanned layers.

The legacy format is a msgpack file and a zarr folder for each array. The file
`checkpoint` is T5X's optimizer state. It has a TensorStore spec in place of
each array that has a folder. Small arrays are in the file itself, as are all
arrays in the single-file form.

T5X's scalable_t5 scans over layers: 'encoder/encoder/…' stacks all layers along
one axis. It also keeps the axes of heads and of their width apart, and has a
position bias in each layer. This project's network has one bias for each stack.
"""

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes  # noqa: F401 - lets NumPy know bfloat16 by name
import numpy as np
import tensorstore as ts
from etils import epath
from flax import serialization, traverse_util

from distill import errors
from distill.checkpoint_formats.tensors import (
  Checkpoint,
  Tensor,
  in_memory,
  kvstore,
  zarr_array,
)

FILE = "checkpoint"
_VERSION = 3
_CHUNK_BYTES = 64 * 2**20
# T5X's Adafactor factors a matrix from this size.
_FACTORED = 128
_BIAS = "relpos_bias/rel_embedding"


def read(path: epath.Path) -> Checkpoint:
  """Opens a folder that has T5X's file `checkpoint`, or such a file.

  Raises:
    UserError: T5X did not write the file.
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
    tensors=unscanned(tensors, str(path)),
    step=None if step is None else int(step),
  )


def _state(file: epath.Path) -> Mapping[str, Any]:
  try:
    contents = serialization.msgpack_restore(file.read_bytes())
    # Version 1 added a level above it.
    state = contents.get("optimizer", contents)
    if "target" in state:
      return state
    found = ", ".join(map(str, state))
  except Exception as error:  # msgpack has no base class for errors
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
  # The place of the path depends on the version of TensorStore. The driver
  # (file, gfile, gcs) does not matter, as the folder is beside the file.
  inside = (leaf["kvstore"].get("path") or leaf["path"]).strip("/")
  folder = file.parent / inside
  return zarr_array(
    str(folder),
    kvstore(str(folder)),
    tuple(map(int, leaf["metadata"]["shape"])),
    np.dtype(leaf["dtype"]),
  )


def unscanned(tensors: Mapping[str, Tensor], path: str) -> dict[str, Tensor]:
  """Returns the tensors with one name for each layer and merged heads.

  Args:
    tensors: The tensors by T5X's name, from any of its networks.
    path: The path of the checkpoint, for messages.

  Raises:
    UserError: The layers of a stack have different position biases.
  """
  unstacked: dict[str, Tensor] = {}
  for name, tensor in tensors.items():
    stacked = re.match(r"(encoder|decoder)/\1/", name)
    if not stacked:
      unstacked[name] = tensor
      continue
    axis = _layer_axis(tensors, stacked[1])
    for i in range(tensor.shape[axis]):
      layer = f"{stacked[1]}/layers_{i}/{name[stacked.end() :]}"
      unstacked[layer] = tensor.layer(axis, i)
  for stack in ("encoder", "decoder"):
    _share_bias(unstacked, stack, path)
  return {name: _joined(name, tensor) for name, tensor in unstacked.items()}


def _layer_axis(tensors: Mapping[str, Tensor], stack: str) -> int:
  """Returns the axis of the layers: 1, or 0 if a norm's scale shows it."""
  scale = tensors.get(f"{stack}/{stack}/pre_mlp_layer_norm/scale")
  embedding = tensors.get("token_embedder/embedding")
  if scale is None or embedding is None:
    return 1
  return 1 if scale.shape[0] == embedding.shape[1] else 0


def _share_bias(tensors: dict[str, Tensor], stack: str, path: str) -> None:
  """Replaces the equal biases of a stack's layers by one."""
  names = [
    n for n in tensors if re.fullmatch(rf"{stack}/layers_\d+/{_BIAS}", n)
  ]
  if not names:
    return
  biases = [tensors.pop(name) for name in names]
  first = biases[0].read()
  for name, bias in zip(names, biases, strict=True):
    if not np.array_equal(bias.read(), first):
      raise errors.UserError(
        f"Each layer of '{path}' has a position bias of its own.",
        expected=f"one for the {stack}, as in T5 and mT5",
        found=f"{name} differs from {names[0]}, as in umT5",
        remedy="train it with T5X's scalable_t5; this network cannot hold it",
      )
  tensors[f"{stack}/{_BIAS}"] = biases[0]


def _joined(name: str, tensor: Tensor) -> Tensor:
  """Returns an attention kernel as a matrix."""
  if len(tensor.shape) != 3 or "attention/" not in name:
    return tensor
  return tensor.joined(0 if name.endswith("/out/kernel") else 1)


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
  """Writes `checkpoint_<step>` into a folder, one array at a time.

  T5X also restores the optimizer's state when it continues training. This
  function writes the initial state of Adafactor, the optimizer of T5X's gin
  files.

  Raises:
    UserError: A weight is not finite.
  """
  step = checkpoint.step or 0
  folder = folder / f"checkpoint_{step}"
  folder.mkdir()
  target, param_states = {}, {}
  for name, tensor in checkpoint.tensors.items():
    array = tensor.read_finite()
    target[name] = _write_array(folder, name, array)
    for moment, zeros in _fresh_adafactor(array.shape).items():
      param_states[f"{name}/{moment}"] = zeros
  state = {
    "step": np.asarray(step, np.int32),
    "param_states": traverse_util.unflatten_dict(param_states, sep="/"),
  }
  contents = {
    "version": _VERSION,
    "optimizer": {
      "target": traverse_util.unflatten_dict(target, sep="/"),
      "state": state,
    },
  }
  # The last file: a folder without it is no checkpoint.
  (folder / FILE).write_bytes(serialization.msgpack_serialize(contents))


def _write_array(
  folder: pathlib.Path, name: str, array: np.ndarray
) -> dict[str, Any]:
  """Writes a zarr folder; returns the spec that replaces the array."""
  inside = f"target.{name.replace('/', '.')}"
  rows = max(1, _CHUNK_BYTES // max(1, array[:1].nbytes))
  spec = {
    "driver": "zarr",
    "dtype": array.dtype.name,
    "metadata": {
      "chunks": [min(rows, array.shape[0]), *array.shape[1:]],
      # T5X's gzip takes minutes for a billion weights and saves 7 %.
      "compressor": None,
      "shape": list(array.shape),
    },
  }
  store = kvstore(str(folder / inside))
  settings = {"kvstore": store, "store_data_equal_to_fill_value": True}
  ts.open({**spec, **settings}, create=True).result().write(array).result()
  return {**spec, "kvstore": {"driver": "file", "path": f"{inside}/"}}


def _fresh_adafactor(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
  """Returns the initial Adafactor moments of a parameter."""
  unused = np.zeros((1,), np.float32)
  state = dict.fromkeys(("m", "v", "v_row", "v_col"), unused)
  if len(shape) == 2 and min(shape) >= _FACTORED:
    smaller, larger = sorted(shape)
    state |= {
      "v_row": np.zeros((smaller,), np.float32),
      "v_col": np.zeros((larger,), np.float32),
    }
  else:
    state["v"] = np.zeros(shape, np.float32)
  return state
