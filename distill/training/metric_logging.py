"""Scalars of a run, as TensorBoard events and as JSON lines."""

import json
import os
from collections.abc import Mapping

import jax
import tensorflow as tf
from clu import metric_writers

FILE_NAME = "metrics.jsonl"


class MetricLogger:
  """Writes `{"step": …, name: value, …}` a line, and the same to TensorBoard.

  Only process 0 writes.

  Attributes:
    last: The newest line, of this process or of the run that it resumes; {} if
      there is none.
  """

  def __init__(self, folder: str, last_step: int) -> None:
    """Opens `folder`/metrics.jsonl and drops its lines after `last_step`.

    Those are steps of a run that was killed after its last checkpoint; they
    are about to be taken again.
    """
    self.last: Mapping[str, float] = {}
    self._silent = jax.process_index() != 0
    if self._silent:
      return
    tf.io.gfile.makedirs(folder)
    path = os.path.join(folder, FILE_NAME)
    if tf.io.gfile.exists(path):
      self.last = _drop_after(path, last_step)
    self._file = tf.io.gfile.GFile(path, "a")
    self._events = metric_writers.SummaryWriter(folder)

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes one step's scalars, so that a kill does not lose them."""
    if self._silent:
      return
    self.last = {"step": step, **scalars}
    self._file.write(json.dumps(self.last) + "\n")
    self._file.flush()
    self._events.write_scalars(step, scalars)

  def close(self) -> None:
    """Flushes TensorBoard's events."""
    if not self._silent:
      self._file.close()
      self._events.close()


def _drop_after(path: str, last_step: int) -> dict[str, float]:
  """Rewrites a file of JSON lines without later steps or a torn last line.

  Returns:
    The last line that stays, {} if none does.
  """
  with tf.io.gfile.GFile(path) as file:
    lines = file.read().splitlines(keepends=True)
  kept = [
    line
    for line in lines
    if line.endswith("\n") and json.loads(line)["step"] <= last_step
  ]
  with tf.io.gfile.GFile(f"{path}.partial", "w") as file:
    file.write("".join(kept))
  tf.io.gfile.rename(f"{path}.partial", path, overwrite=True)
  return json.loads(kept[-1]) if kept else {}
