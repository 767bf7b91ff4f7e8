"""SVAMP (Patel et al. 2021): the equation that solves a word problem."""

from distill.data import registration
from distill.data.published import Published, one_file, questions, splits
from distill.teacher.answers import ExpressionAnswer

DATASET = Published(
  "svamp",
  questions.svamp,
  (one_file("svamp/SVAMP.json", home="github.com/arkilpatel/SVAMP"),),
  choose=splits.eighty_twenty(1000),
)
registration.register_family(
  DATASET,
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  # rules=upstream.step_by_step("svamp"),
)
