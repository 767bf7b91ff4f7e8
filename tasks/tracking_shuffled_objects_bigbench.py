"""Tracking Shuffled Objects (BIG-bench): who holds what after swaps."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "tracking_shuffled_objects_bigbench",
    forms.big_bench,
    Files(
      "bigbench/tracking_shuffled_objects.json", "github.com/google/BIG-bench"
    ),
    choose=splits.seventy_thirty(750),
  ),
  answer_rule=ChoiceAnswer(tuple("ABC")),
  prompt="few_shot_letter_choice",
  rules=upstream.fine_tune_cot("tracking_shuffled_objects"),
)
