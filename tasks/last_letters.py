"""Last-letter concatenation over made-up words, and the demo's controls."""

from distill.data import controls, registration
from distill.data.procedural.last_letters import LastLetters
from distill.teacher.answers import TextAnswer

registration.register_family(
  LastLetters(),
  answer_rule=TextAnswer(),
  prompt="few_shot_last_letters",
)
controls.register_controls("last_letters")
