"""BoolQ, tested on its contrast set (Gardner et al. 2020)."""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, questions
from distill.teacher.answers import YesNoAnswer

DATASET = Published(
  "boolq_contrast",
  questions.boolq,
  (
    Files(
      {"test": ("boolq_contrast/boolq_perturbed.json",)},
      home="github.com/allenai/contrast-sets",
      prepare=questions.perturbed_boolq,
    ),
    Tfds("bool_q", {"train": "train", "validation": "validation"}),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)
