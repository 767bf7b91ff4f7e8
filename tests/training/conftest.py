"""Lets the training tests share modules, and compiled programs."""

import atexit
import os
import shutil
import sys
import tempfile

import jax

sys.path.insert(0, os.path.dirname(__file__))

# The same tiny programs run in many tests and in the processes they start.
_CACHE = tempfile.mkdtemp(prefix="compiled-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE
jax.config.update("jax_compilation_cache_dir", _CACHE)
