"""OpenBookQA (Mihaylov et al. 2018): elementary science, four choices."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms

registration.register_family(
  Published(
    "openbookqa",
    forms.openbookqa,
    Tfds("openbookqa"),
    others=(
      Files(
        "openbookqa/{}.jsonl",
        "allenai.org/data/open-book-qa",
        {"train": "train", "validation": "dev", "test": "test"},
      ),
      Files(
        "llm_adapters/openbookqa/{}.json",
        "github.com/AGI-Edgerunners/LLM-Adapters",
        {"train": "train", "test": "test"},
      ),
    ),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
