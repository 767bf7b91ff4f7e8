"""Arrays that tensorstore reads: zarr folders and OCDBT, local and gs://."""

import functools
from typing import Any

import numpy as np
import tensorstore as ts

from distill import errors
from distill.checkpoint_formats.tensors import Index, Tensor


def kvstore(path: str) -> dict[str, Any]:
  """Returns tensorstore's spec of a local folder or one under gs://.

  Raises:
    UserError: The path is of another kind.
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
  """Returns the array under a key-value store; it is opened when it is read.

  Args:
    place: Its file and name, for messages.
    store: The spec of the array's folder.
    shape: Of the whole array.
    dtype: As it is stored.
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
