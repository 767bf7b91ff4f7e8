"""CommonsenseQA (Talmor et al. 2019): which of five choices fits best?"""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, choices
from distill.teacher.answers import ListedChoiceAnswer

DATASET = Published(
  "cqa",
  choices.listed,
  (
    Files(
      {
        "train": ("distilling_step_by_step/cqa/cqa_train.json",),
        "test": ("distilling_step_by_step/cqa/cqa_test.json",),
      },
      home="github.com/google-research/distilling-step-by-step",
    ),
    # Test is what others call validation: its test labels are not public.
    Tfds("cos_e", {"train": "train", "test": "validation"}),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_cqa",
  # rules=upstream.step_by_step("cqa"),
)
