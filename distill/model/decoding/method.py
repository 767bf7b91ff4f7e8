"""Which decoding a model does, as its gin macros say."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from distill import errors
from distill.model.decoding import beams, sampling, steps
from distill.model.decoding.steps import Decodes, DecodeStep

# Each method, and which fields it reads.
_READS = {
  "greedy": (),
  "sample": ("num_decodes", "temperature", "top_k", "top_p", "seed"),
  "beam": ("num_decodes", "alpha"),
}
_MACROS = {
  "method": "DECODING",
  "num_decodes": "NUM_DECODES",
  "temperature": "TEMPERATURE",
  "top_k": "TOP_K",
  "top_p": "TOP_P",
  "alpha": "BEAM_ALPHA",
  "seed": "DECODING_SEED",
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
  num_decodes: int = 1
  temperature: float = 1.0
  top_k: int = 0
  top_p: float = 0.0
  alpha: float = 0.6
  seed: int = 0

  def __post_init__(self) -> None:
    if self.method not in _READS:
      raise self._unusable("method", "one of " + ", ".join(map(repr, _READS)))
    for name in ("num_decodes", "top_k", "seed"):
      least = int(name == "num_decodes")
      value = getattr(self, name)
      if type(value) is not int or value < least:
        raise self._unusable(name, f"a whole number of at least {least}")
    for name, most, above in (
      ("temperature", float("inf"), True),
      ("top_p", 1.0, False),
      ("alpha", float("inf"), False),
    ):
      value = getattr(self, name)
      if type(value) not in (int, float) or not (
        (0 < value if above else 0 <= value) and value <= most
      ):
        limit = "" if most > 1 else ", at most 1"
        raise self._unusable(
          name, ("above 0" if above else "0 or more") + limit
        )
    if self.top_k and self.top_p:
      raise self._unusable("top_p", f"0 beside TOP_K = {self.top_k}, as in T5X")
    for field in dataclasses.fields(self)[1:]:
      ignored = field.name not in _READS[self.method]
      if ignored and getattr(self, field.name) != field.default:
        users = [m for m, reads in _READS.items() if field.name in reads]
        raise self._unusable(
          field.name,
          f"{field.default!r} under DECODING = {self.method!r}; "
          f"read by {' and '.join(map(repr, users))}",
        )

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

  def _unusable(self, name: str, expected: str) -> errors.UserError:
    macro = _MACROS[name]
    return errors.UserError(
      f"The gin macro {macro} cannot be used.",
      expected=expected,
      found=repr(getattr(self, name)),
      remedy=f"set --gin.{macro}",
    )
