"""What an experiment trains, from the text of its gin files.

This module does not import JAX.
"""

import dataclasses
from typing import Any

from distill import errors, gin_files
from distill.model import costs
from distill.model.config import T5Config
from distill.planning.hardware import Topology

# Bytes of the optimizer's state for each parameter. Adafactor keeps rows and
# columns of its moments; any other one is taken for AdamW.
_FACTORED, _TWO_MOMENTS = 0, 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workload:
  """One training run, and the mesh that it runs on.

  Attributes:
    config: The network.
    inputs: The length of the inputs in tokens.
    targets: The length of the targets in tokens.
    rows: The rows of the global batch.
    steps: The steps of the run.
    optimizer_bytes: The optimizer's state for each parameter.
    microbatches: NUM_MICROBATCHES.
    fsdp: FSDP_PARALLEL.
    model: MODEL_PARALLEL.
    logits_chunk: LOGITS_CHUNK.
    data: DATA_PARALLEL; -1 is all devices that the other two leave.
  """

  config: T5Config
  inputs: int
  targets: int
  rows: int
  steps: int
  optimizer_bytes: int = _FACTORED
  microbatches: int = 1
  fsdp: int = 1
  model: int = 1
  logits_chunk: int | None = None
  data: int = -1

  def on(self, topology: Topology) -> "Workload":
    """Returns the workload with the number of data-parallel devices.

    Raises:
      UserError: The mesh does not fit the devices, or the rows the mesh.
    """
    devices, rest = topology.devices, self.fsdp * self.model
    data = devices // rest if self.data == -1 else self.data
    if data < 1 or data * rest != devices:
      raise errors.UserError(
        f"The mesh does not fit the {devices} devices of {topology.name}.",
        expected=f"data × fsdp × model = {devices}",
        found=f"data = {self.data}, fsdp = {self.fsdp}, model = {self.model}",
        remedy="set --gin.DATA_PARALLEL, FSDP_PARALLEL and MODEL_PARALLEL",
      )
    placed = dataclasses.replace(self, data=data)
    parts = data * self.fsdp * self.microbatches
    if self.rows % parts:
      raise errors.UserError(
        f"A batch of {self.rows} rows cannot be divided on {topology.name}.",
        expected=f"a multiple of data × fsdp × microbatches = {parts}",
        found=f"{self.rows} rows",
        remedy="change --gin.BATCH_SIZE, NUM_MICROBATCHES or MODEL_PARALLEL",
      )
    return placed

  @property
  def model_flops(self) -> float:
    """FLOPs of a step on all devices: three times the forward pass."""
    return (
      3.0
      * self.rows
      * costs.forward_flops(self.config, self.inputs, self.targets)
    )

  @property
  def recomputed_flops(self) -> float:
    """FLOPs of a step on all devices that REMAT and LOGITS_CHUNK add."""
    return self.rows * costs.recomputed_flops(
      self.config, self.inputs, self.targets, self.logits_chunk
    )


def from_survey(survey: gin_files.Survey) -> Workload:
  """Returns the workload of a run's gin files.

  Raises:
    UserError: A value is not one that the text tells, or out of range.
  """

  def resolved(value: Any) -> Any:
    if isinstance(value, gin_files.Reference) and value.text.startswith("%"):
      return resolved(survey.defined[value.text[1:]].value)
    return value

  def macro(name: str) -> Any:
    return resolved(survey.defined[name].value)

  fields = {
    bound.parameter: resolved(bound.value)
    for bound in survey.bindings.values()
    if bound.configurable.name == "T5Config"
  }
  lengths = macro("TASK_FEATURE_LENGTHS")
  paired = str(macro("MIXTURE_OR_TASK_NAME")).endswith("_paired")
  factored = "adafactor" in str(macro("OPTIMIZER"))
  return Workload(
    config=T5Config(**fields),
    inputs=lengths["inputs"],
    targets=lengths["targets"],
    rows=macro("BATCH_SIZE") * (2 if paired else 1),
    steps=macro("TRAIN_STEPS"),
    optimizer_bytes=_FACTORED if factored else _TWO_MOMENTS,
    microbatches=macro("NUM_MICROBATCHES"),
    fsdp=macro("FSDP_PARALLEL"),
    model=macro("MODEL_PARALLEL"),
    logits_chunk=macro("LOGITS_CHUNK"),
    data=macro("DATA_PARALLEL"),
  )
