"""StrategyQA (Geva et al. 2021): yes or no, by several facts."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import YesNoAnswer

DATASET = Published(
  "strategy_qa",
  questions.strategy_qa,
  (
    one_file(
      "bigbench/strategyqa.json",
      # The same questions in another order: the split has other rows.
      "strategyqa/train.json+strategyqa/dev.json",
      home="github.com/google/BIG-bench",
    ),
  ),
  choose=splits.seventy_thirty(2290),
)
registration.register_family(
  DATASET,
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
  # rules=upstream.fine_tune_cot("strategy_qa"),
)
