"""A trained student, read from a checkpoint to be asked."""

from typing import Any

import optax

from distill.checkpoint_formats import loading, opening
from distill.data import pipeline
from distill.training import state
from distill.training.mesh import Partitioner


def restore(
  model: Any,
  config: pipeline.DatasetConfig,
  partitioner: Partitioner,
  path: str,
) -> tuple[Any, str]:
  """Returns parameters on the mesh, and the checkpoint they are from.

  Args:
    model: The student's model.
    config: What it will be asked.
    partitioner: The mesh.
    path: A checkpoint of any format, or a MODEL_DIR: the best, or else the
      newest in it.

  Raises:
    UserError: There is no checkpoint, it is damaged or of another model, or
      the data has another vocabulary or a larger one.
  """
  pipeline.check_model(config, model)
  partitioner.check_batch(config.batch_size)
  checkpoint = opening.open_checkpoint(path)
  lengths = config.task_feature_lengths
  shapes = {
    f"{name}_tokens": (config.batch_size, lengths[feature])
    for name, feature in (
      ("encoder_input", "inputs"),
      ("decoder_input", "targets"),
      ("decoder_target", "targets"),
    )
  }
  abstract = state.abstract_state(model, optax.identity(), partitioner, shapes)
  params, _ = loading.load_params(
    checkpoint, abstract.params, model.module.config
  )
  return params, checkpoint.path
