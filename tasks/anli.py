"""ANLI, rounds 1 to 3 (Nie et al. 2020): entailment, written against models."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms, upstream

FAMILIES = ("anli_r1", "anli_r2", "anli_r3")

for _name in FAMILIES:
  registration.register_family(
    Published(_name, forms.nli, Tfds(_name.replace("_", "/"))),
    answer_rule=ChoiceAnswer(forms.NLI_LABELS),
    prompt="few_shot_esnli",
    rules=upstream.step_by_step("anli"),
  )
