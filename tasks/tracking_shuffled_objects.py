"""Who holds what after some swaps."""

from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.procedural.questions import TrackingShuffledObjects

registration.register_family(
  TrackingShuffledObjects(),
  answer_rule=TextAnswer(),
  prompt="few_shot_tracking_shuffled_objects",
)
