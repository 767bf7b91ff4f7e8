"""MultiArith (Roy and Roth 2015): word problems of two steps."""

from distill.answers.rules import NumberAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "multiarith",
    forms.word_problem,
    Files(
      "multiarith/MultiArith.json", "github.com/kojima-takeshi188/zero_shot_cot"
    ),
    others=(
      Files(
        "llm_adapters/MultiArith/multiarith_1.json",
        "github.com/AGI-Edgerunners/LLM-Adapters",
      ),
    ),
    choose=splits.seventy_thirty(600),
  ),
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  rules=upstream.fine_tune_cot("multiarith"),
)
