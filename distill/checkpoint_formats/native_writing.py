"""Weights as this project's trainer saves them, to start from."""

import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import traverse_util

from distill.checkpoint_formats import orbax_state, writing
from distill.checkpoint_formats.tensors import Checkpoint

# Copies under way at once; mT5-XXL's embedding takes 4.1 GB.
_CONCURRENT_GB = 5


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
  """Writes `checkpoint_<step>` into a folder; holds all weights in memory."""
  step = checkpoint.step or 0
  # Orbax copies NumPy's arrays all at once, JAX's a few at a time.
  [host, *_] = jax.local_devices(backend="cpu")
  params = {
    name: jax.device_put(writing.read_whole(tensor), host)
    for name, tensor in checkpoint.tensors.items()
  }
  state = {
    "params": traverse_util.unflatten_dict(params, sep="/"),
    "step": np.asarray(step, np.int32),
  }
  handler = ocp.PyTreeCheckpointHandler(save_concurrent_gb=_CONCURRENT_GB)
  with ocp.CheckpointManager(
    folder,
    item_names=(orbax_state.STATE,),
    item_handlers={orbax_state.STATE: handler},
    options=ocp.CheckpointManagerOptions(
      step_prefix="checkpoint",
      # It would first copy all weights.
      enable_async_checkpointing=False,
    ),
  ) as manager:
    args = {orbax_state.STATE: ocp.args.PyTreeSave(state)}
    manager.save(step, args=ocp.args.Composite(**args), force=True)
