"""A second start reads the programs that the first one compiled."""

import jax
import jax.numpy as jnp
import pytest

from distill import compilation_cache


@pytest.fixture
def hits(monkeypatch):
  """The events of JAX's cache; the settings of other tests come back."""
  monkeypatch.delenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
  before = (
    jax.config.jax_compilation_cache_dir,
    jax.config.jax_persistent_cache_min_compile_time_secs,
  )
  events = []
  jax.monitoring.register_event_listener(
    lambda name, **_: events.append(name.rpartition("/")[2])
  )
  reset_cache()
  yield events
  jax.config.update("jax_compilation_cache_dir", before[0])
  jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])
  reset_cache()


def reset_cache():
  """Forgets what is compiled, as the end of the process does."""
  from jax.experimental.compilation_cache import compilation_cache as of_jax

  jax.clear_caches()
  of_jax.reset_cache()


def start():
  """Compiles and runs a program."""
  return float(jax.jit(lambda x: jnp.tanh(x) * 17.25)(2.0))


def test_a_second_start_compiles_nothing(tmp_path, hits):
  folder = tmp_path / "compiled"
  compilation_cache.use(str(folder))
  first = start()
  assert "cache_misses" in hits and list(folder.iterdir())
  reset_cache()
  hits.clear()
  assert start() == first
  assert "cache_hits" in hits and "cache_misses" not in hits


def test_by_default_the_folder_is_the_user_s(tmp_path, hits, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
  compilation_cache.use()
  start()
  assert list((tmp_path / "distill" / "compiled").iterdir())


def test_the_environment_moves_it(tmp_path, hits, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "unused"))
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "named"))
  compilation_cache.use()
  start()
  assert list((tmp_path / "named").iterdir())
  assert not (tmp_path / "unused").exists()


def test_no_folder_keeps_nothing(tmp_path, hits, monkeypatch):
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
  compilation_cache.use("")
  start()
  assert not list(tmp_path.iterdir())
