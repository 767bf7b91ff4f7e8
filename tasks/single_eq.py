"""SingleEq (Koncel-Kedziorski et al. 2015): problems of one equation."""

from distill.answers.rules import NumberAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "single_eq",
    forms.word_problem,
    Files(
      "single_eq/questions.json", "github.com/kojima-takeshi188/zero_shot_cot"
    ),
    others=(
      Files(
        "llm_adapters/SingleEq/singleeq_1.json",
        "github.com/AGI-Edgerunners/LLM-Adapters",
      ),
    ),
    choose=splits.seventy_thirty(508),
  ),
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  rules=upstream.fine_tune_cot("single_eq"),
)
