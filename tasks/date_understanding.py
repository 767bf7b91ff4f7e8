"""Date Understanding (BIG-bench): what a text says the date is."""

from distill.data import registration
from distill.data.published import Published, choices, one_file, splits
from distill.teacher.answers import ChoiceAnswer

DATASET = Published(
  "date_understanding",
  choices.big_bench,
  (
    one_file(
      "bigbench/date_understanding.json",
      home="github.com/google/BIG-bench",
      prepare=choices.shuffled,
    ),
  ),
  choose=splits.seventy_thirty(369),
)
registration.register_family(
  DATASET,
  answer_rule=ChoiceAnswer(tuple("ABCDEF")),
  prompt="few_shot_letter_choice",
  # rules=upstream.fine_tune_cot("date_understanding"),
)
