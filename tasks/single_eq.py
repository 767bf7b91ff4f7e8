"""SingleEq (Koncel-Kedziorski et al. 2015): problems of one equation."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import NumberAnswer

DATASET = Published(
  "single_eq",
  questions.word_problem,
  (
    one_file(
      "single_eq/questions.json",
      "llm_adapters/SingleEq/singleeq_1.json",
      home="github.com/kojima-takeshi188/zero_shot_cot",
    ),
  ),
  choose=splits.seventy_thirty(508),
)
registration.register_family(
  DATASET,
  answer_rule=NumberAnswer(),
  prompt="few_shot_math",
  # rules=upstream.fine_tune_cot("single_eq"),
)
