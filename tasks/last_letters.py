"""Last-letter concatenation over made-up words."""

from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.procedural.questions import LastLetters

# So few that labels alone are learnt by heart; the demo shows what reasons add.
registration.register_family(
  LastLetters(sizes={"train": 500}),
  answer_rule=TextAnswer(),
  prompt="few_shot_last_letters",
)
