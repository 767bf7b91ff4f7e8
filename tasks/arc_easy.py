"""ARC, the easy set (Clark et al. 2018): school science in choices."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

registration.register_family(
  Published("arc_easy", forms.listed, Tfds("ai2_arc/ARC-Easy")),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_multiple_choice",
)
