"""The students' accuracy, by the answer rule that judges the teacher too."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distill.answers.rules import AnswerRule

# Between rationale and answer in one target (Ho et al. 2023, table 8).
ANSWER_ARROW = " --> "
# One text, or several samples of one input, the most likely first.
Prediction = str | Sequence[str]


@dataclass(frozen=True)
class Accuracy:
  """A SeqIO metric: percentages, 0 to 100, of right answers.

  `accuracy` judges the first prediction, which is the most likely one. Of
  several there are also `majority_accuracy` (self-consistency: Wang et al.
  2023; Li et al. 2023, SCoTD), `oracle_accuracy` (any is right),
  `best_likelihood_accuracy` (which `accuracy` is) and `mean_accuracy`.

  Attributes:
    rule: Reads and compares the answers.
    rules: More rules, each reported as `<name>_accuracy` of the first.
  """

  rule: AnswerRule
  rules: Mapping[str, AnswerRule] = field(default_factory=dict)

  def __call__(
    self, targets: Sequence[str], predictions: Sequence[Prediction]
  ) -> dict[str, float]:
    """Returns the percentages by name."""
    found = [
      self.judge(target, prediction)
      for target, prediction in zip(targets, predictions, strict=True)
    ]
    return {
      name: 100 * sum(one[name] for one in found) / max(1, len(found))
      for name in (found[0] if found else ["accuracy"])
    }

  def judge(self, target: str, prediction: Prediction) -> dict[str, float]:
    """Returns an example's share, 0 to 1, of each metric."""
    said = [prediction] if isinstance(prediction, str) else prediction
    right = [_is_right(self.rule, target, text) for text in said]
    found: dict[str, float] = {"accuracy": right[0]}
    if len(said) > 1:
      voted = majority(self.rule, said)
      found["best_likelihood_accuracy"] = right[0]
      found["majority_accuracy"] = voted is not None and right[voted]
      found["oracle_accuracy"] = any(right)
      found["mean_accuracy"] = sum(right) / len(right)
    for name, rule in self.rules.items():
      found[f"{name}_accuracy"] = _is_right(rule, target, said[0])
    return found


def majority(rule: AnswerRule, predictions: Sequence[str]) -> int | None:
  """Returns the place of the answer that most predictions give.

  What cannot be read does not vote: None where nothing can. Of answers with as
  many votes it is the first.
  """
  votes: dict[str, int] = {}
  first: dict[str, int] = {}
  for place, answer in enumerate(map(rule.parse, predictions)):
    if answer is not None:
      same = next((a for a in votes if rule.equal(answer, a)), answer)
      votes[same] = votes.get(same, 0) + 1
      first.setdefault(same, place)
  return first[max(votes, key=votes.__getitem__)] if votes else None


def _is_right(rule: AnswerRule, target: str, prediction: str) -> bool:
  answer = rule.parse(prediction)
  return answer is not None and rule.equal(answer, target)


def for_each_decode(postprocess: Callable[..., str]) -> Callable[..., object]:
  """Returns a SeqIO postprocessor that takes several samples as well as one."""

  @functools.wraps(postprocess)
  def each(text: Prediction, **options: object) -> object:
    if isinstance(text, str):
      return postprocess(text, **options)
    return [postprocess(one, **options) for one in text]

  return each


@for_each_decode
def answer_after_arrow(
  text: str, is_target: bool = False, **unused: object
) -> str:
  """Returns what follows the last arrow, a SeqIO postprocessor.

  A prediction without an arrow never came to its answer: ''. A target without
  one is an answer already.
  """
  del unused
  before, arrow, answer = text.rpartition(ANSWER_ARROW)
  if arrow or is_target:
    return answer
  return ""
