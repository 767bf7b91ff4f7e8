"""Greedy decoding of many examples, compiled once."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from distill.training.mesh import Partitioner

# All that decoding reads; of the second one only its shape.
_FEATURES = ("encoder_input_tokens", "decoder_input_tokens")

Example = Mapping[str, np.ndarray]


class Predictor:
  """A model's decoder for batches of one shape.

  Raises:
    UserError: On construction, if the batch does not divide by the mesh.
  """

  def __init__(
    self, model: Any, partitioner: Partitioner, batch_size: int
  ) -> None:
    partitioner.check_batch(batch_size)
    self._partitioner = partitioner
    self._batch_size = batch_size
    # Replicated, so that every host has every prediction.
    self._decode = jax.jit(
      model.predict_batch, out_shardings=partitioner.replicated
    )

  def predict(
    self, params: Any, examples: Iterable[Example]
  ) -> Iterator[np.ndarray]:
    """Yields the tokens [targets length] of each example, in order.

    Rows that fill up the last batch are empty, and decoding skips them. A
    batch is read from the device after the next one is dispatched.

    Args:
      params: The model's parameters, on the mesh.
      examples: Unpacked model features, all of the same lengths.
    """
    waiting: tuple[jax.Array, int] | None = None
    source = iter(examples)
    while rows := tuple(itertools.islice(source, self._batch_size)):
      batch = {name: self._stack(rows, name) for name in _FEATURES}
      with self._partitioner.context():
        tokens = self._decode(params, self._partitioner.shard_batch(batch))
      if waiting:
        yield from np.asarray(waiting[0])[: waiting[1]]
      waiting = tokens, len(rows)
    if waiting:
      yield from np.asarray(waiting[0])[: waiting[1]]

  def _stack(self, rows: tuple[Example, ...], name: str) -> np.ndarray:
    stacked = np.stack([row[name] for row in rows])
    return np.pad(stacked, ((0, self._batch_size - len(rows)), (0, 0)))
