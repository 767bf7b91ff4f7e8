"""e-SNLI (Camburu et al. 2018): does the premise entail the hypothesis?"""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, questions
from distill.teacher.answers import ChoiceAnswer

DATASET = Published(
  "esnli",
  questions.nli,
  (
    Files(
      {
        "train": ("distilling_step_by_step/esnli/esnli_train.json",),
        "validation": ("distilling_step_by_step/esnli/esnli_valid.json",),
        "test": ("distilling_step_by_step/esnli/esnli_test.json",),
      },
      home="github.com/google-research/distilling-step-by-step",
    ),
    Tfds("esnli"),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=ChoiceAnswer(questions.NLI_LABELS),
  prompt="few_shot_esnli",
  # rules=upstream.step_by_step("esnli"),
)
