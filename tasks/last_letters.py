"""Last-letter concatenation over made-up words."""

from distill.data import registration
from distill.data.procedural.last_letters import LastLetters
from distill.teacher.answers import TextAnswer

registration.register_family(
  LastLetters(),
  answer_rule=TextAnswer(),
  prompt="few_shot_last_letters",
)
