"""Word problems of several steps."""

from distill.answers.rules import NumberAnswer
from distill.data import registration
from distill.data.procedural.questions import ChainedArithmetic

registration.register_family(
  ChainedArithmetic(),
  answer_rule=NumberAnswer(),
  prompt="few_shot_chained_arithmetic",
)
