"""AddSub (Hosseini et al. 2014): problems of addition and subtraction."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import NumberAnswer

DATASET = Published(
  "addsub",
  questions.word_problem,
  (
    one_file(
      "addsub/AddSub.json",
      "llm_adapters/AddSub/addsub_1.json",
      home="github.com/kojima-takeshi188/zero_shot_cot",
    ),
  ),
  choose=splits.seventy_thirty(395),
)
registration.register_family(
  DATASET,
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  # rules=upstream.fine_tune_cot("addsub"),
)
