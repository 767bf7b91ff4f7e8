"""QASC (Khot et al. 2020): two facts to compose, eight choices."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

registration.register_family(
  Published(
    "qasc",
    forms.listed,
    # Test is the published validation: its test labels are not public.
    Tfds("qasc", {"train": "train", "test": "validation"}),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
