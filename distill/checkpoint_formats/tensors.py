"""A checkpoint's arrays under T5X's names, read slice by slice."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Index = tuple[slice, ...]


@dataclasses.dataclass(frozen=True)
class Tensor:
  """An array that lies on disk.

  Attributes:
    shape: Of the whole array.
    dtype: As it is stored.
    place: Its file and name, for messages.
    read_part: Returns the part at an index of one slice with bounds a
      dimension; reads little more than that from disk.
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
    """Returns the array with `axis` and the one after it as one."""
    outer, inner = self.shape[axis : axis + 2]
    before, after = self.shape[:axis], self.shape[axis + 2 :]

    def read(index: Index) -> np.ndarray:
      start, stop = index[axis].start, index[axis].stop
      first, last = start // inner, -(-stop // inner)
      part = self.read_part(
        (
          *index[:axis],
          slice(first, last),
          slice(0, inner),
          *index[axis + 1 :],
        )
      )
      shape = part.shape
      part = part.reshape(*shape[:axis], -1, *shape[axis + 2 :])
      inside = slice(start - first * inner, stop - first * inner)
      return part[(slice(None),) * axis + (inside,)]

    return dataclasses.replace(
      self, shape=(*before, outer * inner, *after), read_part=read
    )


def in_memory(array: np.ndarray, place: str) -> Tensor:
  """Returns an array that has been read already as a `Tensor`."""
  return Tensor(array.shape, array.dtype, place, array.__getitem__)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """A checkpoint of any format, opened but not yet read.

  Attributes:
    path: Where it lies.
    format: What it is, for messages.
    tensors: By T5X's name, such as 'encoder/layers_0/attention/query/kernel'.
      What has no such name keeps its own.
    step: The step it was taken at, None where it does not say.
    declared: Fields of `T5Config`, and constants of the network, that the
      checkpoint states besides its shapes.
    config_json: The config.json of a Hugging Face folder.
  """

  path: str
  format: str
  tensors: Mapping[str, Tensor]
  step: int | None = None
  declared: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  config_json: Mapping[str, Any] = dataclasses.field(default_factory=dict)
