"""MC-TACO (Zhou et al. 2019): is an answer about time plausible?"""

from distill.data import registration
from distill.data.published import Published, Tfds, questions
from distill.teacher.answers import YesNoAnswer

DATASET = Published(
  "mctaco",
  questions.mctaco,
  # There is no train split: its authors train on what they call validation.
  (Tfds("mctaco", {"train": "validation", "test": "test"}),),
)
registration.register_family(
  DATASET,
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)
