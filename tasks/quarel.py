"""QuaRel (Tafjord et al. 2019): stories about qualities, two choices."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms

registration.register_family(
  Published(
    "quarel",
    forms.quarel,
    Files(
      "quarel/quarel-v1-{}.jsonl",
      "allenai.org/data/quarel",
      {"train": "train", "validation": "dev", "test": "test"},
    ),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
