"""Time and cost of a step by a roofline, and what a step uses by formula."""

import dataclasses
from collections.abc import Mapping

from distill.model import costs
from distill.planning.hardware import Chip, Topology
from distill.planning.workload import Workload

# The share of the bounding resource's peak that a step reaches: an assumption.
EFFICIENCY = 0.5
# The share of the memory that XLA leaves to a program, as in docs/tpu.md.
USABLE = 0.9
# Bytes moved for each byte of activations that the gradient keeps, by formula:
# XLA moves 2.4 for T5.1.1-small and 3.5 for base on v5e:4x4 (docs/scaling.md).
# Rematerialization keeps fewer, but moves all of them, and once more.
_PASSES = 3


@dataclasses.dataclass(frozen=True)
class Usage:
  """What one device holds, and does in one step.

  Attributes:
    memory: Bytes by what they hold.
    flops: FLOPs of the matrix products.
    traffic: Bytes read from and written to the memory.
    sent: Bytes sent, by the kind of collective.
    fits: Whether it fits the memory.
    compiled: Whether a compiler has found it, or a formula.
  """

  memory: Mapping[str, float]
  flops: float
  traffic: float
  sent: Mapping[str, float]
  fits: bool
  compiled: bool = False

  @property
  def total(self) -> float:
    """All bytes of the memory that are used."""
    return sum(self.memory.values())


@dataclasses.dataclass(frozen=True)
class Estimate:
  """The time of a step and of a run, and its cost.

  Attributes:
    seconds: Of one step.
    bound: 'compute', 'memory' or 'network', which takes the longest.
    mfu: Model FLOPs utilization: model FLOPs by time and peak.
    hours: Of all steps.
    dollars: Of all steps; None if the price is not known.
  """

  seconds: float
  bound: str
  mfu: float
  hours: float
  dollars: float | None


def formula(work: Workload, chip: Chip) -> Usage:
  """Returns what a training step uses, by the formulas of docs/scaling.md.

  Args:
    work: The workload, placed on its devices.
    chip: The kind of the devices.
  """
  n, shards = costs.parameters(work.config), work.fsdp * work.model
  number = 4 if work.config.dtype == "float32" else 2
  rows = work.rows / (work.data * work.fsdp)
  row = costs.activation_bytes(
    work.config, work.inputs, work.targets, work.model, work.logits_chunk
  )
  repeated = work.microbatches
  memory = {
    "parameters": 4 * n / shards,
    "optimizer state": work.optimizer_bytes * n / shards,
    "gradients": (4 if repeated == 1 else 8) * n / shards,
    "activations": rows / repeated * row,
  }
  gathered = number * n / work.model
  layers = work.config.num_encoder_layers * 4 * work.inputs
  layers += work.config.num_decoder_layers * 6 * work.targets
  sent = {
    "all-reduce": 2 * _others(work.data) * 4 * n / shards * repeated
    + 2 * _others(work.model) * rows * layers * work.config.emb_dim * number,
    "all-gather": 2 * _others(work.fsdp) * gathered * repeated,
    "reduce-scatter": _others(work.fsdp) * 4 * n / work.model * repeated,
  }
  flops = work.model_flops + work.recomputed_flops
  if chip.dimensions:  # On TPUs, embedding and its gradient are products.
    config, tokens = work.config, work.inputs + work.targets
    flops += 4.0 * config.vocab_size * config.emb_dim * tokens * work.rows
  moved, passes = row, _PASSES
  if work.config.remat_policy != "none":
    whole = dataclasses.replace(work.config, remat_policy="none")
    moved = costs.activation_bytes(whole, work.inputs, work.targets, work.model)
    passes += 1
  updated = (4 * 4 + 2 * work.optimizer_bytes) * n / shards
  return Usage(
    memory=memory,
    flops=flops / (work.data * shards),
    traffic=updated + 3 * gathered * repeated + passes * rows * moved,
    sent={kind: size for kind, size in sent.items() if size},
    fits=sum(memory.values()) <= USABLE * chip.memory,
  )


def _others(devices: int) -> float:
  """Returns the share of an array that a device of a ring gets from others."""
  return (devices - 1) / devices


def estimate(
  work: Workload, usage: Usage, topology: Topology, efficiency: float
) -> Estimate:
  """Returns time and cost of the steps, without start, evaluation and saving.

  A step takes as long as the slowest of computing, memory traffic and network
  at their peaks, divided by `efficiency`.
  """
  chip = topology.chip
  seconds = {
    "compute": usage.flops / chip.peak,
    "memory": usage.traffic / chip.bandwidth,
    "network": sum(usage.sent.values()) / chip.network,
  }
  bound = max(seconds, key=lambda name: seconds[name])
  step = seconds[bound] / efficiency
  hours = work.steps * step / 3600
  return Estimate(
    seconds=step,
    bound=bound,
    mfu=work.model_flops / (topology.devices * chip.peak * step),
    hours=hours,
    dollars=None if chip.price is None else hours * topology.chips * chip.price,
  )
