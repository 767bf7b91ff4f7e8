"""Where caches are, known before TensorFlow is imported."""

import os

from distill.errors import UserError

CACHE_ROOT_VARIABLE = "DISTILL_DATA_DIR"


def cache_root() -> str:
  """Returns $DISTILL_DATA_DIR, read now: a folder with a cache a family.

  Raises:
    UserError: It is not set.
  """
  root = os.environ.get(CACHE_ROOT_VARIABLE, "")
  if root:
    return root
  raise UserError(
    f"Nothing says where caches are: {CACHE_ROOT_VARIABLE} is not set.",
    expected="a folder or a gs:// path, with a folder a dataset family",
    remedy=f"run `export {CACHE_ROOT_VARIABLE}=…`",
  )
