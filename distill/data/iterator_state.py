"""The state of a tf.data iterator as text that fits into JSON."""

import base64
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

# TensorFlow writes `<prefix>.index` and `<prefix>.data-…` files.
_PREFIX = "iterator"


def pack(iterator: Iterator[Any]) -> dict[str, Any] | None:
  """Returns the iterator's state as a JSON value, or None if it has none.

  The state covers shuffle buffers, packing and prefetched elements, so that
  the next element is the same after `unpack`. Sources made of Python
  generators cannot be saved; they give None.
  """
  with tempfile.TemporaryDirectory() as folder:
    try:
      tf.train.Checkpoint(iterator=iterator).write(f"{folder}/{_PREFIX}")
    except (tf.errors.UnimplementedError, tf.errors.FailedPreconditionError):
      return None
    files = {}
    for name in sorted(os.listdir(folder)):
      with open(os.path.join(folder, name), "rb") as file:
        files[name] = base64.b64encode(zlib.compress(file.read())).decode()
  return {"tensorflow": tf.__version__, "files": files}


def unpack(state: Mapping[str, Any] | None, iterator: Iterator[Any]) -> bool:
  """Puts `iterator` where it was packed; False if the state does not fit.

  The caller answers for the iterator coming from the same dataset
  definition. After False the iterator is in an undefined place.
  """
  if state is None or state["tensorflow"] != tf.__version__:
    return False
  with tempfile.TemporaryDirectory() as folder:
    for name, text in state["files"].items():
      with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
        file.write(zlib.decompress(base64.b64decode(text)))
    try:
      checkpoint = tf.train.Checkpoint(iterator=iterator)
      checkpoint.read(f"{folder}/{_PREFIX}").assert_consumed()
    except (tf.errors.OpError, AssertionError):
      return False
  return True
