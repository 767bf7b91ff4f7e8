"""GSM8K (Cobbe et al. 2021): school problems of several steps."""

from distill.answers.rules import NumberAnswer
from distill.data import registration
from distill.data.published import Files, Published, Tfds, forms, upstream

registration.register_family(
  Published(
    "gsm8k",
    forms.gsm8k,
    Tfds("gsm8k", {"train": "train", "test": "test"}),
    others=(
      Files(
        "gsm8k/{}.jsonl",
        "github.com/openai/grade-school-math",
        {"train": "train", "test": "test"},
      ),
    ),
  ),
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  rules=upstream.fine_tune_cot("gsm8k"),
)
