"""Which decoding a model does, as its gin macros say."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax

from distill import errors
from distill.annotations import NonNegativeInt, PositiveInt
from distill.model.decoding import beams, sampling, steps
from distill.model.decoding.steps import Decodes, DecodeStep

_METHODS = ("greedy", "sample", "beam")
# Each field's macro, the methods that read it, and what it may be.
_RULES: dict[str, tuple[str, Sequence[str], str, Callable[[Any], bool]]] = {
  "method": (
    *("DECODING", _METHODS, "one of " + ", ".join(map(repr, _METHODS))),
    lambda x: x in _METHODS,
  ),
  "num_decodes": (
    *("NUM_DECODES", ("sample", "beam"), "a whole number of at least 1"),
    lambda x: type(x) is int and x >= 1,
  ),
  "temperature": (
    *("TEMPERATURE", ("sample",), "a number above 0"),
    lambda x: type(x) in (int, float) and x > 0,
  ),
  "top_k": (
    *("TOP_K", ("sample",), "a whole number of at least 0"),
    lambda x: type(x) is int and x >= 0,
  ),
  "top_p": (
    *("TOP_P", ("sample",), "a number from 0 to 1"),
    lambda x: type(x) in (int, float) and 0 <= x <= 1,
  ),
  "alpha": (
    *("BEAM_ALPHA", ("beam",), "a number of at least 0"),
    lambda x: type(x) in (int, float) and 0 <= x < math.inf,
  ),
  "seed": (
    *("DECODING_SEED", ("sample",), "a whole number of at least 0"),
    lambda x: type(x) is int and x >= 0,
  ),
}


@dataclasses.dataclass(frozen=True)
class Decoding:
  """A way of decoding and its knobs, with T5X's meanings.

  Attributes:
    method: 'greedy', 'sample' or 'beam'.
    num_decodes: Samples of each input, or beams of its search.
    temperature: Divides the logits that are sampled from.
    top_k: Samples only from the so many best tokens; 0 is all.
    top_p: Samples only from the best tokens that together reach this
      probability; 0 is all.
    alpha: Exponent of the beam search's brevity penalty.
    seed: Of the samples.

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
      if not holds(value):
        raise _unusable(macro, expected, value)
      if self.method not in readers and value != field.default:
        expected = f"{field.default!r} under DECODING = {self.method!r}"
        raise _unusable(macro, expected, value)
    if self.top_k and self.top_p:
      expected = f"0 beside TOP_K = {self.top_k}, as in T5X"
      raise _unusable("TOP_P", expected, self.top_p)

  def __call__(
    self,
    decode_step: DecodeStep,
    cache: Any,
    is_empty: jax.Array,
    max_decode_length: int,
    *,
    example_index: jax.Array,
    reorder: Callable[[Any, jax.Array], Any] = steps.reorder_rows,
  ) -> Decodes:
    """Decodes a batch.

    Args:
      decode_step: As for `greedy_decode`.
      cache: A pytree for one row an input.
      is_empty: [batch], True for rows that come back as padding.
      max_decode_length: Tokens a sequence, at most.
      example_index: [batch], each input's number in its dataset, by which the
        same seed draws the same samples whatever the batch.
      reorder: As for `beam_decode`.
    """
    arguments = (decode_step, cache, is_empty, max_decode_length)
    if self.method == "greedy":
      return sampling.greedy_decode(*arguments)
    if self.method == "beam":
      return beams.beam_decode(
        *arguments,
        num_decodes=self.num_decodes,
        alpha=self.alpha,
        reorder=reorder,
      )
    key = jax.random.key(self.seed)
    return sampling.sample_decode(
      *arguments,
      jax.vmap(jax.random.fold_in, (None, 0))(key, example_index),
      num_decodes=self.num_decodes,
      temperature=self.temperature,
      top_k=self.top_k,
      top_p=self.top_p,
    )


def _unusable(macro: str, expected: str, found: object) -> errors.UserError:
  return errors.UserError(
    f"The gin macro {macro} cannot be used.",
    expected=expected,
    found=repr(found),
    remedy=f"set --gin.{macro}",
  )
