"""OpenBookQA (Mihaylov et al. 2018): elementary science, four choices."""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, choices
from distill.teacher.answers import ListedChoiceAnswer

DATASET = Published(
  "openbookqa",
  choices.openbookqa,
  (
    Files(
      {
        "train": (
          "openbookqa/train.jsonl",
          "llm_adapters/openbookqa/train.json",
        ),
        "validation": ("openbookqa/dev.jsonl",),
        "test": ("openbookqa/test.jsonl", "llm_adapters/openbookqa/test.json"),
      },
      home="allenai.org/data/open-book-qa",
    ),
    Tfds("openbookqa"),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
