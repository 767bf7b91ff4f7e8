"""Decoding methods, for any step function with a cache."""

from distill.model.decoding.beams import UNFILLED, beam_decode
from distill.model.decoding.method import Decoding
from distill.model.decoding.sampling import (
  Decodes,
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
