"""Where compiled programs are kept, so that a second start compiles nothing."""

import os


def use(folder: str | None = None) -> None:
  """Keeps compiled programs in a folder, which JAX reads at the next start.

  Args:
    folder: A local folder, or one that JAX can write to such as `gs://…`. ''
      keeps none. None is `JAX_COMPILATION_CACHE_DIR` of the environment if it
      is set, else `distill/compiled` in the user's cache folder.
  """
  import jax

  if folder is None:
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR", _default())
  jax.config.update("jax_compilation_cache_dir", folder or None)
  if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
    # JAX's second leaves dozens of small programs to compile at every start.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def _default() -> str:
  """Returns the folder in the user's cache folder, by the XDG standard."""
  home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
  return os.path.join(home, "distill", "compiled")
