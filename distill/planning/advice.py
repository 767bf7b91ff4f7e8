"""Which mesh, microbatches and rematerialization make a run fit."""

import dataclasses
from collections.abc import Callable, Iterator

from distill.model.config import REMAT_POLICIES
from distill.planning import roofline
from distill.planning.hardware import Topology
from distill.planning.roofline import Usage
from distill.planning.workload import Workload

# Compilations take minutes each.
_TRIALS = 3


def candidates(
  work: Workload, topology: Topology, share: float = 1.0
) -> list[Workload]:
  """Returns the placed variants that may fit, the fastest first.

  Powers of two of FSDP_PARALLEL, MODEL_PARALLEL and NUM_MICROBATCHES are tried,
  with the REMAT of the workload and those that save more memory. None changes
  what is learned: BATCH_SIZE stays.

  Args:
    work: The workload that does not fit.
    topology: Where it is to fit.
    share: The memory that a compiled program needs, of that by formula.
  """
  found = []
  for variant in _variants(work, topology):
    usage = roofline.formula(variant, topology.chip)
    if share * usage.total <= roofline.USABLE * topology.chip.memory:
      time = roofline.estimate(variant, usage, topology, 1.0).seconds
      policy = REMAT_POLICIES.index(variant.config.remat_policy)
      changes = variant.model * variant.microbatches
      found.append((time, policy, changes, variant.fsdp, variant))
  found.sort(key=lambda row: row[:4])
  return [variant for *_, variant in found]


def _variants(work: Workload, topology: Topology) -> Iterator[Workload]:
  heads = work.config.num_heads
  policy = REMAT_POLICIES.index(work.config.remat_policy)
  configs = [
    dataclasses.replace(work.config, remat_policy=name)
    for name in REMAT_POLICIES[policy:]
  ]
  for model in _powers(topology.devices):
    if heads % model == 0:
      for fsdp in _powers(topology.devices // model):
        data = topology.devices // (model * fsdp)
        for microbatches in _powers(work.rows // (data * fsdp)):
          if work.rows % (data * fsdp * microbatches) == 0:
            for config in configs:
              yield dataclasses.replace(
                work,
                config=config,
                data=data,
                fsdp=fsdp,
                model=model,
                microbatches=microbatches,
              )


def _powers(most: int) -> Iterator[int]:
  """Yields the powers of two that divide a number."""
  power = 1
  while power <= most and most % power == 0:
    yield power
    power *= 2


def first_fit(
  work: Workload,
  topology: Topology,
  usage: Usage,
  usage_of: Callable[[Workload], Usage],
) -> tuple[Workload, Usage] | None:
  """Returns the first variant that `usage_of` finds to fit, and what it uses.

  Args:
    work: The workload that does not fit.
    topology: Where it is to fit.
    usage: What it uses.
    usage_of: Compiles a placed workload, or applies the formula to it.
  """
  share = usage.total / roofline.formula(work, topology.chip).total
  for variant in candidates(work, topology, share)[:_TRIALS]:
    found = usage_of(variant)
    if found.fits:
      return variant, found
  return None


def gin_lines(work: Workload) -> list[str]:
  """Returns the gin lines of a placed workload's mesh and memory."""
  return [
    f"FSDP_PARALLEL = {work.fsdp}",
    f"MODEL_PARALLEL = {work.model}",
    f"NUM_MICROBATCHES = {work.microbatches}",
    f"REMAT = {work.config.remat_policy!r}",
  ]
