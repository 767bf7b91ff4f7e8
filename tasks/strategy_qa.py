"""StrategyQA (Geva et al. 2021): yes or no, by several facts."""

from distill.answers.rules import YesNoAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "strategy_qa",
    forms.strategy_qa,
    # The second has its rows in another order, so other rows in a split.
    Files("bigbench/strategyqa.json", "github.com/google/BIG-bench"),
    others=(
      Files(
        "strategyqa/train.json+strategyqa/dev.json",
        "github.com/eladsegal/strategyqa",
      ),
    ),
    choose=splits.seventy_thirty(2290),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
  rules=upstream.fine_tune_cot("strategy_qa"),
)
