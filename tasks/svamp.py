"""SVAMP (Patel et al. 2021): the equation that solves a word problem."""

from distill.data import registration
from distill.data.published.svamp import Svamp
from distill.teacher.answers import ExpressionAnswer

registration.register_family(
  Svamp(),
  answer_rule=ExpressionAnswer(),
  prompt="few_shot_svamp",
)
