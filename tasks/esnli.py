"""e-SNLI (Camburu et al. 2018): does the premise entail the hypothesis?"""

from distill.data import registration
from distill.data.published.esnli import ESnli
from distill.teacher.answers import ChoiceAnswer

registration.register_family(
  ESnli(),
  answer_rule=ChoiceAnswer(("entailment", "neutral", "contradiction")),
  prompt="few_shot_esnli",
)
