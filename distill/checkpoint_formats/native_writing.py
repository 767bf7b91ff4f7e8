"""Weights as this project's trainer saves them, to start from."""

import pathlib

import numpy as np
import orbax.checkpoint as ocp
from flax import traverse_util

from distill.checkpoint_formats import orbax_state, writing
from distill.checkpoint_formats.tensors import Checkpoint


def write(checkpoint: Checkpoint, folder: pathlib.Path) -> None:
  """Writes `checkpoint_<step>` into a folder; holds all weights in memory."""
  step = checkpoint.step or 0
  params = {
    name: writing.read_whole(tensor)
    for name, tensor in checkpoint.tensors.items()
  }
  state = {
    "params": traverse_util.unflatten_dict(params, sep="/"),
    "step": np.asarray(step, np.int32),
  }
  with ocp.CheckpointManager(
    folder,
    item_names=(orbax_state.STATE,),
    options=ocp.CheckpointManagerOptions(step_prefix="checkpoint"),
  ) as manager:
    args = {orbax_state.STATE: ocp.args.PyTreeSave(state)}
    manager.save(step, args=ocp.args.Composite(**args), force=True)
