"""The procedural datasets, which are made from a seed."""

from distill.answers.rules import NumberAnswer, TextAnswer, YesNoAnswer
from distill.data import registration
from distill.data.procedural import questions

FAMILIES = (
  "chained_arithmetic",
  "coin_flip",
  "last_letters",
  "tracking_shuffled_objects",
)

for _dataset, _rule in (
  (questions.ChainedArithmetic(), NumberAnswer()),
  (questions.CoinFlip(), YesNoAnswer()),
  # With 500 examples, labels alone are memorised; rationales generalise.
  (questions.LastLetters(sizes={"train": 500}), TextAnswer()),
  (questions.TrackingShuffledObjects(), TextAnswer()),
):
  registration.register_family(
    _dataset, answer_rule=_rule, prompt=f"few_shot_{_dataset.name}"
  )
