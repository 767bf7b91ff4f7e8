"""Natural language inference: does one statement follow from others?"""

from distill.answers.rules import ChoiceAnswer, YesNoAnswer
from distill.data.published import Files, Published, Tfds, forms, upstream
from distill.data.registration import register_family

FAMILIES = ("anli_r1", "anli_r2", "anli_r3", "corr2cause", "esnli")

# ANLI, rounds 1 to 3 (Nie et al. 2020): entailment, written against models.
for _round in ("r1", "r2", "r3"):
  register_family(
    Published(f"anli_{_round}", forms.nli, Tfds(f"anli/{_round}")),
    answer_rule=ChoiceAnswer(forms.NLI_LABELS),
    prompt="few_shot_esnli",
    rules=upstream.step_by_step("anli"),
  )

# Corr2Cause (Jin et al. 2024): does correlation imply this causation?
register_family(
  Published(
    "corr2cause",
    forms.corr2cause,
    Tfds("corr2cause", {"train": "train", "validation": "dev", "test": "test"}),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)

# e-SNLI (Camburu et al. 2018): does the premise entail the hypothesis?
register_family(
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
