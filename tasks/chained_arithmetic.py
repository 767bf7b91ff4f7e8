"""Word problems of several steps."""

from distill.data import registration
from distill.data.procedural.chained_arithmetic import ChainedArithmetic
from distill.teacher.answers import NumberAnswer

registration.register_family(
  ChainedArithmetic(),
  answer_rule=NumberAnswer(),
  prompt="few_shot_chained_arithmetic",
)
