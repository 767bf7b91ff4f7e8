"""The arrays of a checkpoint by T5X's names, read slice by slice.

The shapes of the arrays tell the sizes of the network. TensorStore reads zarr
folders and OCDBT stores, on disks and in gs://.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorstore as ts

from distill import errors

Index = tuple[slice, ...]
Shapes = Mapping[str, tuple[int, ...]]

# Parameters whose shapes show the sizes of the network.
_QUERY = "encoder/layers_0/attention/query/kernel"
_OUT = "encoder/layers_0/mlp/wo/kernel"
_LOGITS = "decoder/logits_dense/kernel"


@dataclasses.dataclass(frozen=True)
class Tensor:
  """An array on disk.

  Attributes:
    shape: The shape of the whole array.
    dtype: The type in which it is stored.
    place: The file and the name, for messages.
    read_part: Returns the part at an index, which has one bounded slice for
      each dimension. It reads little more than that part from disk.
  """

  shape: tuple[int, ...]
  dtype: np.dtype
  place: str
  read_part: Callable[[Index], np.ndarray]

  def read(self, index: Index = ()) -> np.ndarray:
    """Returns the part at `index`; slices left out are whole dimensions."""
    whole = (*index, *[slice(None)] * (len(self.shape) - len(index)))
    bounded = tuple(
      slice(*part.indices(size)[:2])
      for part, size in zip(whole, self.shape, strict=True)
    )
    return self.read_part(bounded)

  def read_finite(self, index: Index = ()) -> np.ndarray:
    """Returns the part at `index`, see `read`.

    Raises:
      UserError: The part has a NaN or an infinity.
    """
    array = self.read(index)
    finite = np.isfinite(array)
    if not finite.all():
      raise errors.UserError(
        f"{self.place} has numbers that are not finite.",
        expected="weights that can be trained",
        found=f"{finite.size - np.count_nonzero(finite):,} NaN or infinite of "
        f"{finite.size:,} that were read",
        remedy="take an earlier checkpoint, from before its training diverged",
      )
    return array

  def transposed(self) -> "Tensor":
    """Returns the array with its axes in reverse order."""
    return dataclasses.replace(
      self,
      shape=self.shape[::-1],
      read_part=lambda index: self.read_part(index[::-1]).T,
    )

  def layer(self, axis: int, number: int) -> "Tensor":
    """Returns one layer of an array that stacks them along `axis`."""

    def read(index: Index) -> np.ndarray:
      one = slice(number, number + 1)
      part = self.read_part((*index[:axis], one, *index[axis:]))
      return np.squeeze(part, axis)

    shape = self.shape[:axis] + self.shape[axis + 1 :]
    return dataclasses.replace(self, shape=shape, read_part=read)

  def joined(self, axis: int) -> "Tensor":
    """Returns the array with `axis` and the next axis merged."""
    outer, inner = self.shape[axis : axis + 2]
    before, after = self.shape[:axis], self.shape[axis + 2 :]

    def read(index: Index) -> np.ndarray:
      start, stop = index[axis].start, index[axis].stop
      first, last = start // inner, -(-stop // inner)
      blocks = (slice(first, last), slice(0, inner))
      part = self.read_part((*index[:axis], *blocks, *index[axis + 1 :]))
      shape = part.shape
      part = part.reshape(*shape[:axis], -1, *shape[axis + 2 :])
      inside = slice(start - first * inner, stop - first * inner)
      return part[(slice(None),) * axis + (inside,)]

    return dataclasses.replace(
      self, shape=(*before, outer * inner, *after), read_part=read
    )

  def cast(self, dtype: str) -> "Tensor":
    """Returns the array in another type, such as 'bfloat16'."""
    kind = np.dtype(dtype)
    return dataclasses.replace(
      self,
      dtype=kind,
      read_part=lambda index: self.read_part(index).astype(kind),
    )


def in_memory(array: np.ndarray, place: str) -> Tensor:
  """Returns an array in memory as a `Tensor`."""
  return Tensor(array.shape, array.dtype, place, array.__getitem__)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """A checkpoint of any format, opened but not yet read.

  Attributes:
    path: The path of the checkpoint.
    format: The name of the format, for messages.
    tensors: The arrays by T5X's name, such as
      'encoder/layers_0/attention/query/kernel'. An array without such a name
      keeps its own name.
    step: The training step; None if the checkpoint does not record it.
    declared: Fields of `T5Config` and constants of the network that the
      checkpoint records.
    config_json: The config.json of a Hugging Face folder.
  """

  path: str
  format: str
  tensors: Mapping[str, Tensor]
  step: int | None = None
  declared: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  config_json: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def kvstore(path: str) -> dict[str, Any]:
  """Returns TensorStore's spec of a folder on a disk or in gs://.

  Raises:
    UserError: The path has another scheme.
  """
  if "://" not in path:
    return {"driver": "file", "path": f"{path}/"}
  scheme, _, rest = path.partition("://")
  bucket, _, inside = rest.partition("/")
  if scheme != "gs":
    raise errors.UserError(
      f"'{path}' cannot be read.",
      expected="a local path or gs://",
      found=f"{scheme}://",
      remedy="copy the checkpoint to a disk or to gs://",
    )
  return {"driver": "gcs", "bucket": bucket, "path": f"{inside}/"}


def zarr_array(
  place: str,
  store: dict[str, Any],
  shape: tuple[int, ...],
  dtype: np.dtype,
  driver: str = "zarr",
) -> Tensor:
  """Returns a zarr array, which is opened when it is first read.

  Args:
    place: The file and the name, for messages.
    store: The spec of the array's folder.
    shape: The shape of the whole array.
    dtype: The type in which it is stored.
    driver: 'zarr' or 'zarr3'.
  """
  spec = {
    "driver": driver,
    "kvstore": store,
    # A lost chunk would read as zeros.
    "fill_missing_data_reads": False,
  }
  opened: list[Any] = []

  def read(index: Index) -> np.ndarray:
    try:
      if not opened:
        opened.append(ts.open(spec, open=True, context=_context()).result())
      if tuple(opened[0].shape) != shape:
        raise ValueError(f"shape {tuple(opened[0].shape)}")
      return opened[0][index].read().result()
    except (ValueError, KeyError, OSError) as error:
      raise errors.UserError(
        f"{place} cannot be read.",
        expected=f"an array {shape} of {dtype}, whole",
        found=str(error).splitlines()[0],
        remedy="copy the checkpoint again, or take another one",
      ) from error

  return Tensor(shape, dtype, place, read)


@functools.cache
def _context() -> ts.Context:
  # So that an OCDBT store's manifest is read once and not for each array.
  return ts.Context({"cache_pool": {"total_bytes_limit": 50_000_000}})


def sizes(shapes: Shapes) -> dict[str, Any]:
  """Returns the fields of `T5Config` that can be inferred from shapes.

  Args:
    shapes: The shapes of the parameters by T5X's name.

  Returns:
    The sizes, and 'mlp_branches', the number of activations. Activations' names
    and settings that change no parameter cannot be inferred. A field is left
    out if its parameter is absent.
  """
  found: dict[str, Any] = {
    "num_encoder_layers": _layers("encoder", shapes),
    "num_decoder_layers": _layers("decoder", shapes),
    "logits_via_embedding": _LOGITS not in shapes,
    "mlp_branches": sum(
      re.fullmatch(r"encoder/layers_0/mlp/wi(_\d)?/kernel", name) is not None
      for name in shapes
    ),
  }
  embedding = shapes.get("token_embedder/embedding")
  if embedding:
    found["vocab_size"], found["emb_dim"] = embedding
  bias = shapes.get("encoder/relpos_bias/rel_embedding")
  if bias:
    found["num_heads"] = bias[0]
    if query := shapes.get(_QUERY):
      found["head_dim"] = query[1] // bias[0]
  if out := shapes.get(_OUT):
    found["mlp_dim"] = out[0]
  return found


def _layers(stack: str, names: Iterable[str]) -> int:
  numbers = [
    int(found[1])
    for name in names
    if (found := re.match(rf"{stack}/layers_(\d+)/", name))
  ]
  return max(numbers, default=-1) + 1
