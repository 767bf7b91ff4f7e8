"""GSM8K (Cobbe et al. 2021): school problems of several steps."""

from distill.data import registration
from distill.data.published import Files, Published, Tfds, questions
from distill.teacher.answers import NumberAnswer

DATASET = Published(
  "gsm8k",
  questions.gsm8k,
  (
    Files(
      {"train": ("gsm8k/train.jsonl",), "test": ("gsm8k/test.jsonl",)},
      home="github.com/openai/grade-school-math",
    ),
    Tfds("gsm8k", {"train": "train", "test": "test"}),
  ),
)
registration.register_family(
  DATASET,
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  # rules=upstream.fine_tune_cot("gsm8k"),
)
