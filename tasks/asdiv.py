"""ASDiv (Miao et al. 2020): word problems, to augment SVAMP."""

from distill.answers.rules import ExpressionAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "asdiv",
    forms.asdiv,
    # Its authors publish folds alone; this is SVAMP's rule.
    Files("asdiv/ASDiv.xml", "github.com/chaochun/nlu-asdiv-dataset"),
    choose=splits.eighty_twenty(2305),
  ),
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  rules=upstream.step_by_step("asdiv"),
)
