"""Date Understanding (BIG-bench): what a text says the date is."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
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
