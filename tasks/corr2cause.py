"""Corr2Cause (Jin et al. 2024): does correlation imply this causation?"""

from distill.answers.rules import YesNoAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

registration.register_family(
  Published(
    "corr2cause",
    forms.corr2cause,
    Tfds("corr2cause", {"train": "train", "validation": "dev", "test": "test"}),
  ),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_yes_no",
)
