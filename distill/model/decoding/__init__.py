"""Ways of decoding, with a step function and its cache: no network here."""

from distill.model.decoding.beams import UNFILLED, beam_decode
from distill.model.decoding.method import Decoding
from distill.model.decoding.sampling import greedy_decode, sample_decode
from distill.model.decoding.steps import Decodes, reorder_rows

__all__ = [
  "UNFILLED",
  "Decodes",
  "Decoding",
  "beam_decode",
  "greedy_decode",
  "reorder_rows",
  "sample_decode",
]
