"""Spans of tokens that are lost and replaced by sentinels, without TensorFlow.

`span_corruption` describes the task and does the same in `tf.data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from distill.errors import require


@dataclass(frozen=True)
class Spans:
  """How many tokens of a text are lost.

  Attributes:
    density: The share of the tokens that are lost.
    mean_span: The mean length of the lost spans, in tokens.

  Raises:
    UserError: A value is out of its range.
  """

  density: float = 0.15
  mean_span: float = 3.0

  def __post_init__(self) -> None:
    for name, value, ok, expected in (
      ("NOISE_DENSITY", self.density, 0 < self.density < 1, "between 0 and 1"),
      ("MEAN_SPAN_LENGTH", self.mean_span, self.mean_span >= 1, "at least 1"),
    ):
      require(name, value, ok, f"a number, {expected}")

  def counts(self, length: int) -> tuple[int, int]:
    """Returns how many of `length` > 1 tokens are lost, and in how many spans.

    At least one token is lost and one is kept.
    """
    lost = min(max(round(length * self.density), 1), length - 1)
    spans = max(round(lost / self.mean_span), 1)
    return lost, min(spans, lost, length - lost)

  def piece_length(self, lengths: Mapping[str, int]) -> int:
    """Returns the length of the longest text whose inputs and targets fit.

    Args:
      lengths: Of `inputs` and `targets`, each with its end of sequence.

    Raises:
      UserError: Not even two tokens fit.
    """

    def fits(length: int) -> bool:
      lost, spans = self.counts(length)
      inputs, targets = length - lost + spans + 1, lost + spans + 1
      return inputs <= lengths["inputs"] and targets <= lengths["targets"]

    length = 2
    expected = "at least {'inputs': 3, 'targets': 3}"
    require("TASK_FEATURE_LENGTHS", dict(lengths), fits(length), expected)
    while fits(length + 1):
      length += 1
    return length

  def noise_mask(
    self, rows: int, length: int, rng: np.random.Generator
  ) -> np.ndarray:
    """Returns [rows, length] bool: whether each token is lost.

    A row begins with a kept span and ends with a lost one. All ways to divide
    the kept and the lost tokens into spans are equally likely.
    """
    lost, spans = self.counts(length)

    def divide(total: int) -> np.ndarray:
      """Returns [rows, spans] positive sizes with that total."""
      order = rng.random((rows, total - 1)).argsort(axis=1)
      cuts = np.sort(1 + order[:, : spans - 1])
      return np.diff(cuts, prepend=0, append=total)

    sizes = np.stack([divide(length - lost), divide(lost)], axis=2)
    kinds = np.tile([False, True], rows * spans)
    return np.repeat(kinds, sizes.ravel()).reshape(rows, length)


def spans_as_sentinels(
  tokens: np.ndarray, mask: np.ndarray, vocab_size: int
) -> np.ndarray:
  """Returns the tokens with a sentinel in place of each span of the mask.

  Args:
    tokens: [rows, length] ids.
    mask: [rows, length] bool, with as many tokens and spans in each row.
    vocab_size: The first sentinel's id plus 1.
  """
  first = mask & ~np.pad(mask[:, :-1], [(0, 0), (1, 0)])
  sentinels = vocab_size - first.cumsum(axis=1)
  remaining = np.where(first, sentinels, tokens)[~mask | first]
  return remaining.reshape(len(tokens), -1)
