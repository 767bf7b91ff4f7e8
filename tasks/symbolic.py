"""Symbolic reasoning: BIG-bench's sets, and those that are made from a seed."""

from distill.answers.rules import (
  ChoiceAnswer,
  NumberAnswer,
  TextAnswer,
  YesNoAnswer,
)
from distill.data import procedural
from distill.data.published import Files, Published, forms, splits, upstream
from distill.data.registration import register_family

FAMILIES = (
  "chained_arithmetic",
  "coin_flip",
  "date_understanding",
  "last_letters",
  "tracking_shuffled_objects",
  "tracking_shuffled_objects_bigbench",
)

# What a text says the date is (BIG-bench).
register_family(
  Published(
    "date_understanding",
    forms.big_bench,
    Files(
      "bigbench/date_understanding.json",
      "github.com/google/BIG-bench",
      prepare=forms.shuffled,
    ),
    choose=splits.seventy_thirty(369),
  ),
  answer_rule=ChoiceAnswer(tuple("ABCDEF")),
  prompt="few_shot_letter_choice",
  rules=upstream.fine_tune_cot("date_understanding"),
)

# Who holds what after swaps (BIG-bench).
register_family(
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

# Made from a seed, with nothing to download.
for _dataset, _rule in (
  (procedural.ChainedArithmetic(), NumberAnswer()),
  (procedural.CoinFlip(), YesNoAnswer()),
  # With 500 examples a pretrained tiny student learns the task from labels.
  (procedural.LastLetters(sizes={"train": 500}), TextAnswer()),
  (procedural.TrackingShuffledObjects(), TextAnswer()),
):
  register_family(
    _dataset, answer_rule=_rule, prompt=f"few_shot_{type(_dataset).name}"
  )
