"""AQuA-RAT (Ling et al. 2017): algebra, five choices."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "aqua",
    forms.aqua,
    Files(
      "aqua/{}.json",
      "github.com/google-deepmind/AQuA",
      {"train": "train", "validation": "dev", "test": "test"},
    ),
    choose={"train": splits.subsample(10_000)},
  ),
  answer_rule=ChoiceAnswer(tuple("ABCDE")),
  prompt="few_shot_letter_choice",
  rules=upstream.fine_tune_cot("aqua"),
)
