"""What to learn: importing this registers every dataset family's tasks."""

from tasks import (
  chained_arithmetic,
  coin_flip,
  cqa,
  esnli,
  last_letters,
  svamp,
  tracking_shuffled_objects,
)

__all__ = [
  "chained_arithmetic",
  "coin_flip",
  "cqa",
  "esnli",
  "last_letters",
  "svamp",
  "tracking_shuffled_objects",
]
