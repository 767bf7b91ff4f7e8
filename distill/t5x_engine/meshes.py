"""T5X's mesh from this project's macros, on any TPU, on GPUs and CPUs.

T5X knows only how to split a model over TPU v2 to v4, and takes all local
CPU devices for the model. It obeys a `model_parallel_submesh` everywhere: the
block (x, y, z, core) of neighbouring devices that share one copy of the model.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import gin
import jax

from distill import errors
from distill.training import mesh

Block = tuple[int, int, int, int]


def best_submesh(model: int, chips: Block, host: Block) -> Block | None:
  """Returns the block of `model` devices that T5X can tile a slice with.

  The cores of a chip come first, then the most compact block, since the
  devices of a block talk most.

  Args:
    model: Devices that split each layer.
    chips: The slice's extent in x, y, z, and cores (as devices) on a chip.
    host: The extent of what one host has.

  Returns:
    The block's extent; None where none has that many devices.
  """

  def tiles(block: Block) -> bool:
    return all(
      whole % side == 0 and (side % local == 0 or local % side == 0)
      for whole, side, local in zip(chips, block, host, strict=True)
    )

  xs, ys, zs, cores = (
    [d for d in range(1, n + 1) if n % d == 0] for n in chips
  )
  blocks = [
    block
    for block in itertools.product(xs, ys, zs, cores)
    if math.prod(block) == model and tiles(block)
  ]
  if not blocks:
    return None
  return min(blocks, key=lambda b: (-b[3], sum(b), max(b), -b[0], -b[1]))


def submesh_of(
  devices: Sequence[Any], local_devices: Sequence[Any], model: int
) -> Block:
  """Returns the submesh of `model` devices for devices as JAX lists them.

  Args:
    devices: All devices: `coords` and `core_on_chip` on TPUs, neither on GPUs
      and CPUs, of which T5X takes neighbours in its row of all of them.
    local_devices: Those of one host.
    model: Devices that split each layer.

  Raises:
    UserError: No block has that many devices, or there are several slices.
  """
  if len({getattr(device, "slice_index", 0) for device in devices}) > 1:
    raise errors.UserError(
      "T5X lays a submesh on one TPU slice only.",
      expected="one slice, or T5X's own settings for several",
      remedy="bind partitioning.PjitPartitioner.ici_mesh_shape,"
      " .dcn_mesh_shape and .num_partitions, and .model_parallel_submesh ="
      " None",
    )
  if hasattr(devices[0], "core_on_chip"):
    found = best_submesh(model, _extent(devices), _extent(local_devices))
  else:
    count, local = len(devices), len(local_devices)
    fits = count % model == 0 and (model % local == 0 or local % model == 0)
    found = (1, 1, 1, model) if fits else None
  if found is None:
    raise errors.UserError(
      f"No block of {model} neighbouring devices tiles this machine.",
      expected="a divisor of its sides, as wide as a host or a part of it",
      found=f"{len(devices)} devices, {len(local_devices)} a host",
      remedy="set MODEL_PARALLEL to a smaller power of 2",
    )
  return found


def _extent(devices: Iterable[Any]) -> Block:
  """Returns how far devices reach in x, y, z and cores on a chip."""
  places = [(*device.coords, device.core_on_chip) for device in devices]
  x, y, z, core = (max(a) - min(a) + 1 for a in zip(*places, strict=True))
  return x, y, z, core


@gin.register
def model_parallel_submesh(data: int, fsdp: int, model: int) -> Block:
  """Returns T5X's submesh for DATA_, FSDP_ and MODEL_PARALLEL.

  T5X has one axis for the batch: data × fsdp devices.

  Raises:
    UserError: The three do not make up the devices, or `submesh_of` raises.
  """
  count = jax.device_count()
  batch = count // model if data == -1 else data * fsdp
  if min(batch, fsdp, model) < 1 or batch * model != count or batch % fsdp:
    raise mesh.misfit(count, data, fsdp, model)
  return submesh_of(jax.devices(), jax.local_devices(process_index=0), model)


@gin.register
def parameter_partitioning_dims(fsdp: int) -> int:
  """Returns 2 where weights are split over the batch's devices too, or 1."""
  return 2 if fsdp > 1 else 1
