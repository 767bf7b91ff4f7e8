"""Settings that every test shares; they must stand before JAX is imported."""

import atexit
import os
import shutil
import tempfile

# Programs run for milliseconds and compile for seconds: without optimization,
# a compilation takes a sixth of the time.
UNOPTIMIZED = (
  "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
)
# Programs that tests start with one device, as most users' machines have.
os.environ["ONE_DEVICE_XLA_FLAGS"] = UNOPTIMIZED
# Eight host devices, so that parallelism is tested wherever tests run.
DEVICES = "--xla_force_host_platform_device_count=8"
os.environ.setdefault("XLA_FLAGS", f"{UNOPTIMIZED} {DEVICES}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# pytest-xdist's workers and the commands that tests start inherit the folder of
# compiled programs, and compile equal programs once.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
  COMPILED = tempfile.mkdtemp(prefix="compiled-")
  os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILED
  atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# No accelerator lookup by TensorFlow, which only feeds data.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import gin  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402

# Machines that run tests are shared: a wall-clock deadline would flake.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@pytest.fixture(scope="module", autouse=True)
def gin_is_left_as_it_was_found():
  """A command run in one module must not lock gin for the next."""
  yield
  gin.clear_config()
