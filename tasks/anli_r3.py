"""ANLI, round 3 (Nie et al. 2020): entailment, written against models."""

from distill.answers.rules import ChoiceAnswer
from distill.data import registration
from distill.data.published import Published, Tfds, forms, upstream

registration.register_family(
  Published("anli_r3", forms.nli, Tfds("anli/r3")),
  answer_rule=ChoiceAnswer(forms.NLI_LABELS),
  prompt="few_shot_esnli",
  rules=upstream.step_by_step("anli"),
)
