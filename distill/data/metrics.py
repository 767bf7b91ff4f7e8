"""The students' accuracy, by the answer rule that judges the teacher too."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from distill.teacher.answers import AnswerRule

# Between rationale and answer in one target (Ho et al. 2023, table 8).
ANSWER_ARROW = " --> "
# One text, or several samples of one input, the most likely first.
Prediction = str | Sequence[str]


class Judged(NamedTuple):
  """The predictions for one example, by a rule.

  `answers` are what it reads, None where nothing; `right` whether they are the
  target; `voted` the place of the one that most of them equal, the first of
  several such, None without answers.
  """

  answers: tuple[str | None, ...]
  right: tuple[bool, ...]
  voted: int | None

  @property
  def elected(self) -> bool:
    """Whether the vote came to the target."""
    return self.voted is not None and self.right[self.voted]


@dataclass(frozen=True)
class Accuracy:
  """A SeqIO metric: percentages, 0 to 100, of right answers.

  `accuracy` judges the first prediction, which is the most likely one. Of
  several there are also `majority_accuracy` (self-consistency: Wang et al.
  2023; Li et al. 2023, SCoTD), `oracle_accuracy` (any is right),
  `best_likelihood_accuracy` (by another name, `accuracy`) and
  `mean_accuracy`.

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
    pairs = list(zip(targets, map(_several, predictions), strict=True))
    found = [judge(self.rule, *pair) for pair in pairs]
    scores = {"accuracy": _percent([one.right[0] for one in found])}
    if any(len(one.right) > 1 for one in found):
      scores["best_likelihood_accuracy"] = scores["accuracy"]
      scores["majority_accuracy"] = _percent([one.elected for one in found])
      scores["oracle_accuracy"] = _percent([any(one.right) for one in found])
      scores["mean_accuracy"] = _percent(
        [sum(one.right) / len(one.right) for one in found]
      )
    for name, rule in self.rules.items():
      rights = [
        judge(rule, wanted, said[:1]).right[0] for wanted, said in pairs
      ]
      scores[f"{name}_accuracy"] = _percent(rights)
    return scores

  def line(self, target: str, prediction: Prediction) -> dict[str, object]:
    """Returns `right` (0 or 1) and `answer`, '' where none could be read.

    Of several predictions they are the first one's, and `majority_right` is
    what the vote came to.
    """
    said = _several(prediction)
    found = judge(self.rule, target, said)
    line: dict[str, object] = {
      "right": int(found.right[0]),
      "answer": found.answers[0] or "",
    }
    if len(said) > 1:
      line["majority_right"] = int(found.elected)
    return line


def judge(rule: AnswerRule, target: str, predictions: Sequence[str]) -> Judged:
  """Returns what the predictions for one example answer."""
  answers = tuple(rule.parse(said) for said in predictions)
  votes: dict[int, int] = {}
  for place, answer in enumerate(answers):
    if answer is None:
      continue
    same = (p for p in votes if rule.equal(answer, answers[p] or ""))
    first = next(same, place)
    votes[first] = votes.get(first, 0) + 1
  return Judged(
    answers,
    tuple(a is not None and rule.equal(a, target) for a in answers),
    max(votes, key=votes.__getitem__, default=None),
  )


def _several(prediction: Prediction) -> Sequence[str]:
  return [prediction] if isinstance(prediction, str) else prediction


def _percent(shares: Sequence[float]) -> float:
  return 100 * sum(shares) / max(1, len(shares))


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
