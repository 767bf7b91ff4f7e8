"""A run's programs, compiled ahead of time for a TPU slice that is not here."""

import dataclasses
import importlib.util
import math
import os
import re
from collections.abc import Mapping
from typing import Any

from distill import errors
from distill.planning import hlo
from distill.planning.hardware import Topology
from distill.planning.roofline import Usage
from distill.planning.workload import Workload

# The programs of evaluation and inference; the other one is training.
INFERENCE = ("decoding", "scoring")
# Without these, libtpu looks for the TPU of this machine, and complains.
_ENVIRONMENT = {
  "JAX_PLATFORMS": "cpu",
  "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
  "TPU_SKIP_MDS_QUERY": "1",
  "TPU_WORKER_HOSTNAMES": "localhost",
  "TPU_ACCELERATOR_TYPE": "v5litepod-1",
}
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def prepare() -> None:
  """Sets the environment of this process; it must stand before JAX is imported.

  Raises:
    UserError: libtpu is not installed.
  """
  if importlib.util.find_spec("libtpu") is None:
    raise errors.UserError(
      "The TPU compiler, libtpu, is not installed.",
      remedy='pip install -c constraints.txt ".[plan]" in a clone, or give '
      "--cost for the formula alone",
    )
  os.environ.update(_ENVIRONMENT)


def devices_of(topology: Topology) -> list[Any]:
  """Returns the devices of a TPU slice.

  Raises:
    UserError: libtpu knows no such slice.
  """
  import jax
  from jax.experimental import topologies

  # Both TensorCores of a v4 chip are one device.
  options = {"chip_config_name": "megacore"} if "v4:" in topology.name else {}
  try:
    described = topologies.get_topology_desc(
      topology_name=topology.name, platform="tpu", **options
    )
  except jax.errors.JaxRuntimeError as error:
    raise errors.UserError(
      f"libtpu knows no slice {topology.name}.",
      expected="a slice that Google offers, such as v5e:4x4 or v5p:2x2x4",
      found=str(error).splitlines()[0],
    ) from error
  return list(described.devices)


def usage(
  bound: Mapping[str, Any],
  work: Workload,
  topology: Topology,
  program: str,
) -> Usage:
  """Compiles a program and returns what one device holds and does.

  Args:
    bound: The parameters that gin binds to `distill.train.train`.
    work: The workload, placed on the devices.
    topology: The TPU slice.
    program: 'training', or one of `INFERENCE`.

  Raises:
    UserError: The parameters do not divide by the mesh, or XLA fails.
  """
  import jax

  partitioner = dataclasses.replace(
    bound["partitioner"],
    data=work.data,
    fsdp=work.fsdp,
    model=work.model,
    devices=devices_of(topology),
  )
  held: dict[str, float] = {}
  try:
    if program == "training":
      program_of_device = _training(bound, work, partitioner, held)
    else:
      program_of_device = _inference(bound, partitioner, program, held)
  except jax.errors.JaxRuntimeError as error:
    return too_large(error, held)
  does = hlo.work(program_of_device.as_text(), topology.devices)
  found = program_of_device.memory_analysis()
  arguments = found.argument_size_in_bytes - sum(held.values())
  fresh = found.output_size_in_bytes - found.alias_size_in_bytes
  return Usage(
    memory=held
    | {
      "batch and results": max(0, arguments) + max(0, fresh),
      "temporaries": found.temp_size_in_bytes,
      "program": found.generated_code_size_in_bytes,
    },
    flops=does.flops,
    traffic=does.traffic,
    sent=does.sent,
    fits=True,
    compiled=True,
  )


def batch_shapes(config: Any, packed: bool) -> dict[str, tuple[int, int]]:
  """Returns the shape of each array of a batch, without reading the data.

  Args:
    config: The `DatasetConfig`.
    packed: Whether rows are packed.
  """
  from distill.data import feature_converters

  converter = feature_converters.LossGroupFeatureConverter(pack=packed)
  lengths = converter.get_model_feature_lengths(config.task_feature_lengths)
  return {name: (config.batch_size, size) for name, size in lengths.items()}


def _training(
  bound: Mapping[str, Any],
  work: Workload,
  partitioner: Any,
  held: dict[str, float],
) -> Any:
  """Returns the compiled training step; `held` gets what the state holds."""
  import jax

  from distill.training import state, step

  config, model = bound["train_dataset_cfg"], bound["model"]
  schedule = bound["learning_rate_fn"]
  optimizer = bound["optimizer"](schedule)
  shapes = batch_shapes(config, config.pack)
  abstract = state.abstract_state(model, optimizer, partitioner, shapes)
  held["parameters"] = _device_bytes(abstract.params)
  held["optimizer state"] = _device_bytes(abstract.opt_state)
  key = jax.eval_shape(lambda: jax.random.key(0))
  module = model.module.clone(config=work.config)
  model = dataclasses.replace(model, module=module)
  compiled, _ = step.compile_step(
    step.make_train_step(model, optimizer, schedule, work.microbatches),
    partitioner,
    abstract,
    partitioner.abstract_batch(shapes),
    key.update(sharding=partitioner.replicated),
  )
  return compiled


def _inference(
  bound: Mapping[str, Any],
  partitioner: Any,
  program: str,
  held: dict[str, float],
) -> Any:
  """Returns the compiled decoding or scoring of a batch of examples."""
  import optax

  from distill.evaluation import predictions
  from distill.training import state

  model = bound["model"]
  config = bound["infer_eval_dataset_cfg"] or bound["train_dataset_cfg"]
  shapes = batch_shapes(config, packed=False)
  abstract = state.abstract_state(model, optax.identity(), partitioner, shapes)
  held["parameters"] = _device_bytes(abstract.params)
  predictor = predictions.Predictor(model, partitioner, config.batch_size)
  return predictor.compile(program, abstract.params, shapes)


def _device_bytes(tree: Any) -> float:
  """Returns the bytes of one device's parts of abstract arrays."""
  import jax

  return sum(
    leaf.dtype.itemsize * math.prod(leaf.sharding.shard_shape(leaf.shape))
    for leaf in jax.tree.leaves(tree)
  )


def too_large(error: Exception, held: Mapping[str, float]) -> Usage:
  """Returns the memory that XLA's error names, or raises the error."""
  temporaries = re.search(r"temporaries \(([\d.]+)([KMGT])\)", str(error))
  everything = re.search(r"[Uu]sed ([\d.]+)([KMGT]) of \S+ hbm", str(error))
  found = temporaries or everything
  if found is None:
    raise errors.UserError(
      "XLA cannot compile the program for this slice.",
      found=" ".join(str(error).split())[:400],
    ) from error
  used = float(found[1]) * _UNITS[found[2]]
  if not temporaries:
    used -= sum(held.values())
  memory = {**held, "temporaries": used}
  return Usage(memory, 0.0, 0.0, {}, fits=False, compiled=True)
