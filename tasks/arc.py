"""ARC (Clark et al. 2018), both sets: school science in choices."""

from distill.answers.rules import ListedChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms

FAMILIES = ("arc_challenge", "arc_easy")

for _name, _set in zip(FAMILIES, ("Challenge", "Easy"), strict=True):
  registration.register_family(
    Published(_name, forms.listed, Tfds(f"ai2_arc/ARC-{_set}")),
    answer_rule=ListedChoiceAnswer(),
    prompt="few_shot_multiple_choice",
  )
