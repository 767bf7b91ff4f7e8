"""e-SNLI (Camburu et al. 2018): does the premise entail the hypothesis?"""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms, upstream

registration.register_family(
  Published(
    "esnli",
    forms.nli,
    Tfds("esnli"),
    others=(
      Files(
        "distilling_step_by_step/esnli/esnli_{}.json",
        "github.com/google-research/distilling-step-by-step",
        {"train": "train", "validation": "valid", "test": "test"},
      ),
    ),
  ),
  answer_rule=ChoiceAnswer(forms.NLI_LABELS),
  prompt="few_shot_esnli",
  rules=upstream.step_by_step("esnli"),
)
