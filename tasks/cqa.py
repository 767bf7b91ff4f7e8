"""CommonsenseQA (Talmor et al. 2019): which of five choices fits best?"""

from distill.data import registration
from distill.data.published.commonsense_qa import CommonsenseQa
from distill.teacher.answers import ListedChoiceAnswer

registration.register_family(
  CommonsenseQa(),
  answer_rule=ListedChoiceAnswer(),
  prompt="few_shot_cqa",
)
