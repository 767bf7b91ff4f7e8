"""SVAMP (Patel et al. 2021): the equation that solves a word problem."""

from distill.answers.rules import ExpressionAnswer
from distill.data import registration
from distill.data.published import Files, Published, forms, splits, upstream

registration.register_family(
  Published(
    "svamp",
    forms.svamp,
    Files("svamp/SVAMP.json", "github.com/arkilpatel/SVAMP"),
    choose=splits.eighty_twenty(1000),
  ),
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
  rules=upstream.step_by_step("svamp"),
)
