"""Settings that every test shares; they must stand before JAX is imported."""

import os

# Eight host devices, so that parallelism is tested wherever tests run.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
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
