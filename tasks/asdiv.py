"""ASDiv (Miao et al. 2020): word problems, to augment SVAMP."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import ExpressionAnswer

DATASET = Published(
  "asdiv",
  questions.asdiv,
  (one_file("asdiv/ASDiv.xml", home="github.com/chaochun/nlu-asdiv-dataset"),),
  # Its authors publish folds alone; this is SVAMP's rule.
  choose=splits.eighty_twenty(2305),
)
registration.register_family(
  DATASET,
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  # rules=upstream.step_by_step("asdiv"),
)
