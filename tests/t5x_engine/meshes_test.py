"""Submeshes for T5X, on machines described by hand and on real CPU devices."""

import dataclasses
import itertools
import math

import jax
import numpy as np
import pytest

from distill import errors
from distill.t5x_engine import meshes

# Generation and slice: its extent in x, y, z, devices a chip; that of a host.
SLICES = {
  "v2-32": ((4, 4, 1, 2), (2, 2, 1, 2)),
  "v3-128": ((8, 8, 1, 2), (2, 2, 1, 2)),
  "v4-8": ((2, 2, 1, 1), (2, 2, 1, 1)),
  "v4-256": ((4, 4, 8, 1), (2, 2, 1, 1)),
  "v5e-8": ((2, 4, 1, 1), (2, 4, 1, 1)),
  "v5e-256": ((16, 16, 1, 1), (2, 2, 1, 1)),
  "v5p-2048": ((8, 8, 16, 1), (2, 2, 1, 1)),
  "v6e-64": ((8, 8, 1, 1), (2, 2, 1, 1)),
}


@dataclasses.dataclass(frozen=True)
class Chip:
  """A TPU device as JAX describes it."""

  id: int
  coords: tuple[int, int, int]
  core_on_chip: int
  process_index: int
  slice_index: int = 0
  platform: str = "tpu"


@dataclasses.dataclass(frozen=True)
class Gpu:
  id: int
  process_index: int
  platform: str = "gpu"


def chips_of(name):
  """Returns all devices of a slice, and those of its first host."""
  extent, host = SLICES[name]
  places = list(itertools.product(*map(range, extent)))
  hosts = sorted({tuple(np.floor_divide(place, host)) for place in places})
  devices = [
    Chip(
      i, place[:3], place[3], hosts.index(tuple(np.floor_divide(place, host)))
    )
    for i, place in enumerate(places)
  ]
  return devices, [d for d in devices if d.process_index == 0]


@pytest.mark.parametrize(
  ("name", "model", "block"),
  [
    ("v2-32", 1, (1, 1, 1, 1)),
    ("v2-32", 2, (1, 1, 1, 2)),
    ("v3-128", 4, (2, 1, 1, 2)),
    ("v3-128", 16, (4, 2, 1, 2)),
    ("v4-8", 4, (2, 2, 1, 1)),
    ("v4-256", 8, (2, 2, 2, 1)),
    ("v5e-8", 8, (2, 4, 1, 1)),
    ("v5e-256", 16, (4, 4, 1, 1)),
    ("v5p-2048", 64, (4, 4, 4, 1)),
    ("v6e-64", 4, (2, 2, 1, 1)),
  ],
)
def test_a_model_takes_the_most_compact_block(name, model, block):
  assert meshes.submesh_of(*chips_of(name), model) == block


@pytest.mark.parametrize("name", SLICES)
def test_every_power_of_two_tiles_every_generation(name):
  devices, local = chips_of(name)
  extent, host = SLICES[name]
  model = 1
  while model <= min(64, len(devices)):
    block = meshes.submesh_of(devices, local, model)
    assert math.prod(block) == model
    for whole, side, part in zip(extent, block, host, strict=True):
      assert whole % side == 0
      assert side % part == 0 or part % side == 0
    model *= 2


def test_gpus_take_neighbours_on_a_host_first():
  devices = [Gpu(i, i // 8) for i in range(32)]
  for model in (1, 2, 8, 16):
    found = meshes.submesh_of(devices, devices[:8], model)
    assert found == (1, 1, 1, model)
  with pytest.raises(errors.UserError, match="MODEL_PARALLEL"):
    meshes.submesh_of(devices, devices[:8], 12)


def test_what_does_not_fit_is_refused():
  devices, local = chips_of("v5e-8")
  with pytest.raises(errors.UserError, match="No block of 3"):
    meshes.submesh_of(devices, local, 3)
  other = [dataclasses.replace(device, slice_index=1) for device in devices]
  with pytest.raises(errors.UserError, match="one TPU slice"):
    meshes.submesh_of([*devices, *other], local, 4)


def test_the_macros_mean_the_same_on_cpu_devices():
  assert jax.device_count() == 8
  assert meshes.model_parallel_submesh(-1, 2, 2) == (1, 1, 1, 2)
  assert meshes.model_parallel_submesh(4, 1, 2) == (1, 1, 1, 2)
  for sizes in ((3, 1, 2), (-1, 1, 16), (-1, 3, 2), (8, 1, 2)):
    with pytest.raises(errors.UserError, match="does not fit"):
      meshes.model_parallel_submesh(*sizes)
  assert [meshes.parameter_partitioning_dims(n) for n in (1, 4)] == [1, 2]


@pytest.mark.t5x
@pytest.mark.parametrize("name", SLICES)
def test_t5x_builds_its_mesh_of_that_submesh(name):
  partitioning = pytest.importorskip(
    "t5x.partitioning", reason="T5X cannot be imported: docs/t5x.md"
  )
  devices, local = chips_of(name)
  for model in (1, 2, 4, 8):
    if model > len(devices):
      continue
    block = meshes.submesh_of(devices, local, model)
    mesh = partitioning.get_mesh(block, devices, local)
    assert mesh.axis_names == ("data", "model")
    assert mesh.devices.shape == (len(devices) // model, model)
    for row in mesh.devices:
      places = np.array([(*d.coords, d.core_on_chip) for d in row])
      reach = places.max(axis=0) - places.min(axis=0) + 1
      assert tuple(reach) == block
