"""Several hosts: each joins the others before anything touches a device.

Both trainers call `join`. JAX's own service then tells all processes of a
preemption, and checkpoints are written by all of them.
"""

import glob
import importlib.util
import os

from distill import errors

# What a launcher may export in place of the three flags.
VARIABLES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
FLAGS = ("--coordinator_address", "--process_count", "--process_index")


def join(
  coordinator_address: str | None = None,
  process_count: int | None = None,
  process_index: int | None = None,
) -> bool:
  """Joins the other processes, if there are any; a second call does nothing.

  The first of these that is there says who they are: the arguments, the
  environment (`VARIABLES`), SLURM (`srun` with several tasks; each takes the
  GPU of its local number), a TPU slice or several (Google Compute Engine or
  Kubernetes Engine). Without any, this process is alone.

  Returns:
    Whether JAX's distributed service runs.

  Raises:
    UserError: Some of the three are given and others are not, or are wrong.
  """
  given = _checked((coordinator_address, process_count, process_index), FLAGS)
  given = given or _checked(tuple(map(os.environ.get, VARIABLES)), VARIABLES)
  if not (given or _in_slurm() or _in_tpu_slice()):
    return False
  import jax

  if jax.distributed.is_initialized():
    return True
  if given:
    jax.distributed.initialize(*given)
  else:
    # A SLURM job may run on TPU machines too, but `srun` knows its tasks.
    method = "slurm" if _in_slurm() else None
    jax.distributed.initialize(cluster_detection_method=method)
  return True


def _checked(
  values: tuple[str | int | None, ...], names: tuple[str, ...]
) -> tuple[str, int, int] | None:
  """Returns address, count and index; None where none of them is given."""
  lacking = [n for n, v in zip(names, values, strict=True) if v is None]
  if len(lacking) == len(names):
    return None
  if lacking:
    raise errors.UserError(
      "A run on several hosts needs three settings.",
      expected=", ".join(names),
      found="no " + ", ".join(lacking),
      remedy="give them all on each host, or none",
    )
  address, count, index = map(str, values)
  if not (count + index).isdecimal() or int(index) >= int(count):
    raise errors.UserError(
      f"{names[1]} and {names[2]} do not number the processes.",
      expected=f"{names[2]} from 0 to {names[1]} - 1",
      found=f"{names[1]}={count}, {names[2]}={index}",
      remedy="give each process its own number",
    )
  return address, int(count), int(index)


def _in_slurm() -> bool:
  """Returns whether `srun` started this process as one of several."""
  several = os.environ.get("SLURM_NTASKS", "1") != "1"
  return several and "SLURM_STEP_NODELIST" in os.environ


def _in_tpu_slice() -> bool:
  """Returns whether this is a host of a Cloud TPU that JAX is to use."""
  if "tpu" not in os.environ.get("JAX_PLATFORMS", "tpu"):
    return False
  if {"TPU_PROCESS_ADDRESSES", "TPU_WORKER_HOSTNAMES"} & os.environ.keys():
    return True
  chips = glob.glob("/dev/accel[0-9]*") or glob.glob("/dev/vfio/[0-9]*")
  # The variable says that there is no metadata server to ask (notebooks).
  asks = "TPU_SKIP_MDS_QUERY" not in os.environ
  return bool(chips and asks and importlib.util.find_spec("libtpu"))
