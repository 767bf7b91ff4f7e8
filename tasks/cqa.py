"""CommonsenseQA (Talmor et al. 2019): which of five choices fits best?"""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms, upstream

registration.register_family(
  Published(
    "cqa",
    forms.listed,
    # Test is what others call validation: its test labels are not public.
    Files(
      "distilling_step_by_step/cqa/cqa_{}.json",
      "github.com/google-research/distilling-step-by-step",
      {"train": "train", "test": "test"},
    ),
    others=(Tfds("cos_e", {"train": "train", "test": "validation"}),),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_cqa",
  rules=upstream.step_by_step("cqa"),
)
