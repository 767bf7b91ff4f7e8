"""QuaRel (Tafjord et al. 2019): stories about qualities, two choices."""

from distill.data import registration
from distill.data.published import Files, Published, choices
from distill.teacher.answers import ListedChoiceAnswer

DATASET = Published(
  "quarel",
  choices.quarel,
  (
    Files(
      {
        "train": ("quarel/quarel-v1-train.jsonl",),
        "validation": ("quarel/quarel-v1-dev.jsonl",),
        "test": ("quarel/quarel-v1-test.jsonl",),
      },
      home="allenai.org/data/quarel",
    ),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
