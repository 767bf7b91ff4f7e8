"""Decoding methods: one for each model, set by gin macros.

The methods decode with any step function that has a cache.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from distill import errors
from distill.errors import NonNegativeInt, PositiveInt
from distill.model.decoding.beams import UNFILLED, beam_decode
from distill.model.decoding.sampling import (
  Decodes,
  DecodeStep,
  greedy_decode,
  reorder_rows,
  sample_decode,
)

__all__ = [
  "UNFILLED",
  "Decodes",
  "Decoding",
  "beam_decode",
  "greedy_decode",
  "reorder_rows",
  "sample_decode",
]

_METHODS = ("greedy", "sample", "beam")
_Valid = tuple[str, Callable[[Any], bool]]


def _whole(least: int) -> _Valid:
  expected = f"a whole number of at least {least}"
  return expected, lambda x: type(x) is int and x >= least


def _number(interval: str, holds: Callable[[float], bool]) -> _Valid:
  return f"a number {interval}", lambda x: type(x) in (int, float) and holds(x)


_ONE_OF = "one of " + ", ".join(map(repr, _METHODS))
_SAMPLE, _BEAM = ("sample",), ("beam",)
# For each field: its macro, the methods that read it, and its valid values.
_RULES: dict[str, tuple[str, Sequence[str], str, Callable[[Any], bool]]] = {
  "method": ("DECODING", _METHODS, _ONE_OF, lambda x: x in _METHODS),
  "num_decodes": ("NUM_DECODES", _SAMPLE + _BEAM, *_whole(1)),
  "temperature": ("TEMPERATURE", _SAMPLE, *_number("above 0", lambda x: x > 0)),
  "top_k": ("TOP_K", _SAMPLE, *_whole(0)),
  "top_p": ("TOP_P", _SAMPLE, *_number("from 0 to 1", lambda x: 0 <= x <= 1)),
  "alpha": (
    *("BEAM_ALPHA", _BEAM),
    *_number("of at least 0", lambda x: 0 <= x < math.inf),
  ),
  "seed": ("DECODING_SEED", _SAMPLE, *_whole(0)),
}


@dataclasses.dataclass(frozen=True)
class Decoding:
  """A decoding method and its options, as in T5X.

  Attributes:
    method: 'greedy', 'sample' or 'beam'.
    num_decodes: The number of samples, or of beams, of each input.
    temperature: The divisor of the logits in sampling.
    top_k: The number of most probable tokens to sample from; 0 for all.
    top_p: The least total probability of the most probable tokens to sample
      from; 0 for all.
    alpha: The exponent of beam search's brevity penalty.
    seed: The seed of the samples.

  Raises:
    UserError: A value is out of range, or set for a method that ignores it.
  """

  method: str = "greedy"
  num_decodes: PositiveInt = 1
  temperature: float = 1.0
  top_k: NonNegativeInt = 0
  top_p: float = 0.0
  alpha: float = 0.6
  seed: int = 0

  def __post_init__(self) -> None:
    for field in dataclasses.fields(self):
      macro, readers, expected, holds = _RULES[field.name]
      value = getattr(self, field.name)
      remedy = f"set --gin.{macro}"
      errors.require(macro, value, holds(value), expected, remedy)
      is_read = self.method in readers or value == field.default
      expected = f"{field.default!r} with DECODING = {self.method!r}"
      errors.require(macro, value, is_read, expected, remedy)
    errors.require(
      "TOP_P",
      self.top_p,
      not (self.top_k and self.top_p),
      f"0 with TOP_K = {self.top_k}, as in T5X",
      "set --gin.TOP_P",
    )

  def __call__(
    self,
    decode_step: DecodeStep,
    cache: Any,
    is_empty: jax.Array,
    max_decode_length: int,
    *,
    example_index: jax.Array,
    reorder: Callable[[Any, jax.Array], Any] = reorder_rows,
  ) -> Decodes:
    """Decodes a batch.

    Args:
      decode_step: As for `greedy_decode`.
      cache: A pytree with one row for each input.
      is_empty: [batch], True for rows that are not decoded.
      max_decode_length: The longest sequence in tokens.
      example_index: [batch], the index of each input in its dataset. The
        samples depend on it and on the seed, but not on the batch.
      reorder: As for `beam_decode`.
    """
    arguments = (decode_step, cache, is_empty, max_decode_length)
    if self.method == "greedy":
      return greedy_decode(*arguments)
    if self.method == "beam":
      return beam_decode(
        *arguments,
        num_decodes=self.num_decodes,
        alpha=self.alpha,
        reorder=reorder,
      )
    key = jax.random.key(self.seed)
    return sample_decode(
      *arguments,
      jax.vmap(jax.random.fold_in, (None, 0))(key, example_index),
      num_decodes=self.num_decodes,
      temperature=self.temperature,
      top_k=self.top_k,
      top_p=self.top_p,
    )
