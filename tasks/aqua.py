"""AQuA-RAT (Ling et al. 2017): algebra, five choices."""

from distill.data import registration
from distill.data.published import Files, Published, choices, splits
from distill.teacher.answers import ChoiceAnswer

DATASET = Published(
  "aqua",
  choices.aqua,
  (
    Files(
      {
        "train": ("aqua/train.json",),
        "validation": ("aqua/dev.json",),
        "test": ("aqua/test.json",),
      },
      home="github.com/google-deepmind/AQuA",
    ),
  ),
  choose={"train": splits.subsample(10_000)},
)
registration.register_family(
  DATASET,
  answer_rule=ChoiceAnswer(tuple("ABCDE")),
  prompt="few_shot_letter_choice",
  # rules=upstream.fine_tune_cot("aqua"),
)
