"""A trained student, read from a checkpoint to be asked."""

from typing import Any

import optax

from distill.data import pipeline
from distill.training import restoring, state
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
    path: A checkpoint, or a MODEL_DIR: the best, or else the newest in it.

  Raises:
    UserError: There is no checkpoint, it is of another model, or the data
      needs a larger vocabulary.
  """
  pipeline.check_vocabulary(config, model.module.config.vocab_size)
  partitioner.check_batch(config.batch_size)
  checkpoint = restoring.find_checkpoint(path)
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
  return restoring.restore_params(checkpoint, abstract.params), str(checkpoint)
