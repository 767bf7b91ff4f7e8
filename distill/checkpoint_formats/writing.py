"""What the writers share: an output that is whole or not there."""

import contextlib
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator

import numpy as np

from distill import errors
from distill.checkpoint_formats import loading
from distill.checkpoint_formats.tensors import Tensor


@contextlib.contextmanager
def new_folder(output: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Yields a folder that becomes `output` when nothing was raised.

  Raises:
    UserError: `output` exists, or is not a local path that can be written.
  """
  text = os.fspath(output)
  if "://" in text or os.path.lexists(text):
    raise errors.UserError(
      f"'{text}' cannot be the output.",
      expected="a local path at which there is nothing",
      found="a remote path" if "://" in text else "something is there",
      remedy="name another --output; gcloud storage copies a folder to gs://",
    )
  final = pathlib.Path(os.path.abspath(text))
  partial = final.with_name(f"{final.name}.partial-{uuid.uuid4().hex}")
  try:
    partial.mkdir(parents=True)
    yield partial
    _use_default_modes(partial)
    partial.rename(final)
  except OSError as error:
    raise errors.UserError(
      f"'{text}' cannot be written.",
      expected="a path that can be written, with space for the weights",
      found=str(error),
      remedy="name another --output",
    ) from error
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _use_default_modes(folder: pathlib.Path) -> None:
  """Gives all files the mode of new ones; libraries write some as 0600."""
  default = folder.stat().st_mode & 0o777
  for path in folder.rglob("*"):
    path.chmod(default if path.is_dir() else default & 0o666)


def read_whole(tensor: Tensor) -> np.ndarray:
  """Returns a tensor that is to be written; UserError if it is not finite."""
  array = tensor.read()
  loading.check_finite(tensor, array)
  return array
