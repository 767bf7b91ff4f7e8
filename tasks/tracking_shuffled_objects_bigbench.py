"""Tracking Shuffled Objects (BIG-bench): who holds what after swaps."""

from distill.data import registration
from distill.data.published import Published, choices, one_file, splits
from distill.teacher.answers import ChoiceAnswer

DATASET = Published(
  "tracking_shuffled_objects_bigbench",
  choices.big_bench,
  (
    one_file(
      "bigbench/tracking_shuffled_objects.json",
      home="github.com/google/BIG-bench",
    ),
  ),
  choose=splits.seventy_thirty(750),
)
registration.register_family(
  DATASET,
  answer_rule=ChoiceAnswer(tuple("ABC")),
  prompt="few_shot_letter_choice",
  # rules=upstream.fine_tune_cot("tracking_shuffled_objects"),
)
