"""Decoding or scoring many examples on a mesh, compiled once."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from distill.training.mesh import Partitioner

# All that decoding reads; of the second one only its shape.
_INPUTS = ("encoder_input_tokens", "decoder_input_tokens")
_TARGETS = ("decoder_target_tokens", "decoder_loss_weights")

Example = Mapping[str, np.ndarray]


class Predictor:
  """A model's decoder and its scorer, for batches of one shape.

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
      lambda params, batch: model.decode_batch(params, batch)[:2],
      out_shardings=partitioner.replicated,
    )
    self._score = jax.jit(
      model.score_batch, out_shardings=partitioner.replicated
    )

  def decode(
    self, params: Any, examples: Iterable[Example]
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each example's decodes, the best first, and their scores.

    Rows that fill up the last batch are empty, and decoding skips them.

    Args:
      params: The model's parameters, on the mesh.
      examples: Unpacked model features, all of the same lengths.

    Returns:
      An iterator of tokens [num_decodes, targets length] and [num_decodes].
    """
    return self._run(self._decode, _INPUTS, params, examples)

  def score(
    self, params: Any, examples: Iterable[Example]
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the log-likelihood of each example's targets, and their tokens."""
    return self._run(self._score, _INPUTS + _TARGETS, params, examples)

  def _run(
    self,
    function: Callable[..., tuple[jax.Array, jax.Array]],
    features: Sequence[str],
    params: Any,
    examples: Iterable[Example],
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each example's two rows of what `function` gives for batches.

    A batch is read from the device after the next one is dispatched.
    """
    waiting: tuple[Any, int] | None = None
    source = iter(examples)
    for start in itertools.count(0, self._batch_size):
      rows = tuple(itertools.islice(source, self._batch_size))
      dispatched = None
      if rows:
        batch = {name: self._stack(rows, name) for name in features}
        index = np.arange(start, start + self._batch_size, dtype=np.int32)
        batch["example_index"] = index
        with self._partitioner.context():
          found = function(params, self._partitioner.shard_batch(batch))
        dispatched = found, len(rows)
      if waiting:
        first, second = map(np.asarray, waiting[0])
        yield from itertools.islice(zip(first, second, strict=True), waiting[1])
      if not dispatched:
        return
      waiting = dispatched

  def _stack(self, rows: tuple[Example, ...], name: str) -> np.ndarray:
    stacked = np.stack([row[name] for row in rows])
    return np.pad(stacked, ((0, self._batch_size - len(rows)), (0, 0)))
