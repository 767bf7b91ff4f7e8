"""Whether a coin is still heads up after some flips."""

from distill.answers.rules import YesNoAnswer
from distill.data import registration
from distill.data.procedural.questions import CoinFlip

registration.register_family(
  CoinFlip(),
  answer_rule=YesNoAnswer(),
  prompt="few_shot_coin_flip",
)
