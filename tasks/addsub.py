"""AddSub (Hosseini et al. 2014): problems of addition and subtraction."""

from distill.answers.rules import NumberAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "addsub",
    forms.word_problem,
    Files("addsub/AddSub.json", "github.com/kojima-takeshi188/zero_shot_cot"),
    others=(
      Files(
        "llm_adapters/AddSub/addsub_1.json",
        "github.com/AGI-Edgerunners/LLM-Adapters",
      ),
    ),
    choose=splits.seventy_thirty(395),
  ),
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  rules=upstream.fine_tune_cot("addsub"),
)
