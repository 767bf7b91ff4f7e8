"""MultiArith (Roy and Roth 2015): word problems of two steps."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import NumberAnswer

DATASET = Published(
  "multiarith",
  questions.word_problem,
  (
    one_file(
      "multiarith/MultiArith.json",
      "llm_adapters/MultiArith/multiarith_1.json",
      home="github.com/kojima-takeshi188/zero_shot_cot",
    ),
  ),
  choose=splits.seventy_thirty(600),
)
registration.register_family(
  DATASET,
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  # rules=upstream.fine_tune_cot("multiarith"),
)
