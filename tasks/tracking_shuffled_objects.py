"""Who holds what after some swaps."""

from distill.data import registration
from distill.data.procedural.tracking_shuffled_objects import (
  TrackingShuffledObjects,
)
from distill.teacher.answers import TextAnswer

registration.register_family(
  TrackingShuffledObjects(),
  answer_rule=TextAnswer(),
  prompt="few_shot_tracking_shuffled_objects",
)
