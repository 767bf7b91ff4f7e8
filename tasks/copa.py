"""COPA (Roemmele et al. 2011): the likelier cause or effect."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

registration.register_family(
  Published(
    "copa",
    forms.copa,
    # Test is SuperGLUE's validation: its test labels are not public.
    Tfds("super_glue/copa", {"train": "train", "test": "validation"}),
  ),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
