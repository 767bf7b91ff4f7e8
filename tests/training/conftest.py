"""Lets the training tests share modules, and compiled programs."""

import atexit
import os
import shutil
import sys
import tempfile

import jax
import pytest

sys.path.insert(0, os.path.dirname(__file__))

# The same tiny programs run in many tests and in the processes they start.
_CACHE = tempfile.mkdtemp(prefix="compiled-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE
jax.config.update("jax_compilation_cache_dir", _CACHE)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
  """The folder of an uninterrupted tiny run, and a hash of its parameters."""
  import tiny_run

  folder = tmp_path_factory.mktemp("whole")
  return folder, tiny_run.digest(tiny_run.run(folder).params)
