"""MC-TACO (Zhou et al. 2019): is an answer about time plausible?"""

from distill.answers.rules import YesNoAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

registration.register_family(
  Published(
    "mctaco",
    forms.mctaco,
    # Its authors train on what they call validation: there is no train.
    Tfds("mctaco", {"train": "validation", "test": "test"}),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)
