"""Where parameters and batches live: a named mesh and logical axis rules.

The model names the axes of its arrays ('embed', 'mlp', …); rules map these
names to the axes of the mesh: `data` splits the batch, `fsdp` splits the batch
and the parameters, `model` splits the layers themselves.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax.experimental import mesh_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from distill import errors
from distill.errors import PositiveInt

AXES = ("data", "fsdp", "model")
BATCH_AXES = ("data", "fsdp")

# Where a mesh axis is taken already, the later rule does nothing: activations
# have 'batch' on fsdp, parameters 'embed'.
STANDARD_RULES = (
  ("batch", BATCH_AXES),
  ("vocab", "model"),
  ("heads", "model"),
  ("joined_kv", "model"),
  ("mlp", "model"),
  ("embed", "fsdp"),
  ("kv", None),
  ("length", None),
  ("relpos_buckets", None),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Partitioner:
  """A mesh of all devices, and the shardings on it.

  Attributes:
    data: Devices along `data`; -1 is all that the other axes leave.
    fsdp: Devices along `fsdp`.
    model: Devices along `model`.
    logical_axis_rules: Pairs of a logical axis and its mesh axes or None.
    devices: The devices to use; None is all of them.

  Raises:
    UserError: The sizes do not make up the number of devices.
  """

  data: int = -1
  fsdp: PositiveInt = 1
  model: PositiveInt = 1
  logical_axis_rules: Sequence[tuple[str, Any]] = STANDARD_RULES
  devices: Sequence[jax.Device] | None = None

  def __post_init__(self) -> None:
    self.mesh  # noqa: B018 - wrong sizes are an error at once

  @functools.cached_property
  def mesh(self) -> Mesh:
    """The mesh, with axes named `AXES`."""
    devices = list(jax.devices() if self.devices is None else self.devices)
    rest = self.fsdp * self.model
    data = len(devices) // rest if self.data == -1 and rest > 0 else self.data
    shape = (data, self.fsdp, self.model)
    if min(shape) < 1 or math.prod(shape) != len(devices):
      raise misfit(len(devices), self.data, self.fsdp, self.model)
    # Not jax.make_mesh: its axes are Explicit, and linen wants them Auto.
    return Mesh(_arranged(devices, shape), AXES)

  @property
  def platform(self) -> str:
    """The devices' platform: 'cpu', 'gpu' or 'tpu'."""
    return str(self.mesh.devices.flat[0].platform)

  @contextlib.contextmanager
  def context(self) -> Iterator[None]:
    """Within it, traced functions see the mesh and the logical axis rules."""
    with (
      jax.set_mesh(self.mesh),
      nn.logical_axis_rules(list(self.logical_axis_rules)),
    ):
      yield

  @property
  def replicated(self) -> NamedSharding:
    """Every device has the whole array."""
    return NamedSharding(self.mesh, PartitionSpec())

  @property
  def batch_sharding(self) -> NamedSharding:
    """Rows, the first axis, are split over data and fsdp."""
    return NamedSharding(self.mesh, PartitionSpec(BATCH_AXES))

  def check_batch(self, batch_size: int, num_microbatches: int = 1) -> None:
    """Raises UserError if the rows do not divide among devices and steps."""
    shards = self.mesh.shape["data"] * self.mesh.shape["fsdp"]
    if num_microbatches < 1 or batch_size % (shards * num_microbatches):
      raise errors.UserError(
        f"A batch of {batch_size} rows cannot be divided evenly.",
        expected=f"a multiple of data × fsdp × microbatches = "
        f"{shards} × {num_microbatches} = {shards * num_microbatches}",
        found=f"BATCH_SIZE = {batch_size}",
        remedy="change BATCH_SIZE, NUM_MICROBATCHES or the mesh",
      )

  def shard_batch(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns global arrays; each host gives only its own rows."""
    return {
      name: jax.make_array_from_callback(
        rows.shape, self.batch_sharding, rows.__getitem__
      )
      for name, rows in batch.items()
    }

  def abstract_batch(
    self, shapes: Mapping[str, Sequence[int]]
  ) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns what `shard_batch` gives for int32 rows of these shapes."""
    return {
      name: jax.ShapeDtypeStruct(
        tuple(shape), np.int32, sharding=self.batch_sharding
      )
      for name, shape in shapes.items()
    }

  def param_shardings(self, boxed: Any) -> Any:
    """Returns a sharding for each parameter.

    Args:
      boxed: Abstract parameters in linen's boxes of logical axis names.

    Raises:
      UserError: A dimension does not divide by the devices it is spread over.
    """
    shardings = nn.logical_to_mesh_sharding(
      nn.get_partition_spec(boxed), self.mesh, list(self.logical_axis_rules)
    )
    jax.tree_util.tree_map_with_path(_check_divides, nn.unbox(boxed), shardings)
    return shardings

  def like_params(self, tree: Any, params: Any, shardings: Any) -> Any:
    """Returns shardings for an optimizer state.

    A leaf whose path ends in a parameter's path and that has its shape is
    placed as the parameter is; all others, such as Adafactor's factored
    moments, are on every device.
    """
    placed = {
      path: (leaf.shape, sharding)
      for (path, leaf), sharding in zip(
        jax.tree_util.tree_leaves_with_path(params),
        jax.tree.leaves(shardings),
        strict=True,
      )
    }

    def place(path: Any, leaf: Any) -> NamedSharding:
      for start in range(len(path)):
        shape, sharding = placed.get(path[start:], (None, None))
        if shape == leaf.shape:
          return sharding
      return self.replicated

    return jax.tree_util.tree_map_with_path(place, tree)


def misfit(count: int, data: int, fsdp: int, model: int) -> errors.UserError:
  """Returns the error for a mesh that `count` devices do not make up."""
  return errors.UserError(
    "The mesh does not fit the devices.",
    expected=f"data × fsdp × model = {count} devices",
    found=f"data = {data}, fsdp = {fsdp}, model = {model}",
    remedy="set DATA_PARALLEL, FSDP_PARALLEL and MODEL_PARALLEL; -1 for "
    "DATA_PARALLEL takes the remaining devices",
  )


def _arranged(devices: list[Any], shape: tuple[int, int, int]) -> np.ndarray:
  """Returns devices [data, fsdp, model], neighbours along the last axes.

  Several TPU slices split the batch among them: the network between them is
  slower than that within.

  Raises:
    UserError: The data axis does not divide by the slices.
  """
  # The devices of a topology of one slice have no such attribute.
  indices = {getattr(device, "slice_index", 0) for device in devices}
  slices = len(indices) if devices[0].platform == "tpu" else 1
  data, *rest = shape
  if data % slices:
    raise errors.UserError(
      "The mesh does not fit the TPU slices.",
      expected=f"DATA_PARALLEL a multiple of the {slices} slices",
      found=f"data = {data}",
      remedy="lower FSDP_PARALLEL or MODEL_PARALLEL",
    )
  if slices == 1:
    # An axis of the mesh may be a part of a side of the slice, as 2 is of 4.
    return mesh_utils.create_device_mesh(
      shape, devices, allow_split_physical_axes=True
    )
  return mesh_utils.create_hybrid_device_mesh(
    (data // slices, *rest),
    (slices, 1, 1),
    devices,
    allow_split_physical_axes=True,
  )


def _check_divides(path: Any, leaf: Any, sharding: NamedSharding) -> None:
  """Raises UserError if a dimension of a parameter does not divide evenly."""
  for size, axes in zip(leaf.shape, sharding.spec, strict=False):
    names = (axes,) if isinstance(axes, str) else axes or ()
    count = math.prod(sharding.mesh.shape[name] for name in names)
    if size % count:
      name = jax.tree_util.keystr(path, simple=True, separator="/")
      raise errors.UserError(
        f"The parameter '{name}' cannot be spread over the mesh.",
        expected=f"a dimension that divides by {' × '.join(names)} = {count}",
        found=f"shape {leaf.shape}, of which {size}",
        remedy="change the mesh, the model's sizes or the logical axis rules",
      )
