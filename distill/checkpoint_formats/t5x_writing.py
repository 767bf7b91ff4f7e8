"""Weights in T5X's legacy format, which T5X restores to train or to infer."""

import pathlib
from typing import Any

import numpy as np
import tensorstore as ts
from flax import serialization, traverse_util

from distill.checkpoint_formats import t5x_legacy, tensorstore_arrays, writing
from distill.checkpoint_formats.tensors import Checkpoint

_VERSION = 3
_CHUNK_BYTES = 64 * 2**20
# From this size on T5X's Adafactor factors a matrix.
_FACTORED = 128


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
  """Writes `checkpoint_<step>` into a folder, one array at a time.

  T5X restores the optimizer's state, too, when it goes on training: the one
  that is written is Adafactor's at its start, as in all of T5X's gin files.
  """
  step = checkpoint.step or 0
  folder = folder / f"checkpoint_{step}"
  folder.mkdir()
  target, param_states = {}, {}
  for name, tensor in checkpoint.tensors.items():
    array = writing.read_whole(tensor)
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
  # Last: without it the folder is no checkpoint.
  (folder / t5x_legacy.FILE).write_bytes(
    serialization.msgpack_serialize(contents)
  )


def _write_array(
  folder: pathlib.Path, name: str, array: np.ndarray
) -> dict[str, Any]:
  """Writes a zarr folder; returns the spec that stands for it."""
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
  store = tensorstore_arrays.kvstore(str(folder / inside))
  settings = {"kvstore": store, "store_data_equal_to_fill_value": True}
  ts.open({**spec, **settings}, create=True).result().write(array).result()
  return {**spec, "kvstore": {"driver": "file", "path": f"{inside}/"}}


def _fresh_adafactor(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
  """Returns T5X's Adafactor moments of a parameter before the first step."""
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
