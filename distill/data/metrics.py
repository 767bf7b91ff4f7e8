"""The students' accuracy, by the answer rule that judges the teacher too."""

from collections.abc import Callable, Sequence

from distill.teacher.answers import AnswerRule

# Between rationale and answer in one target (Ho et al. 2023, table 8).
ANSWER_ARROW = " --> "


def accuracy(
  rule: AnswerRule,
) -> Callable[[Sequence[str], Sequence[str]], dict[str, float]]:
  """Returns a SeqIO metric: the percentage, 0 to 100, of right answers."""

  def by_rule(
    targets: Sequence[str], predictions: Sequence[str]
  ) -> dict[str, float]:
    answers = [rule.parse(prediction) for prediction in predictions]
    right = [
      answer is not None and rule.equal(answer, target)
      for answer, target in zip(answers, targets, strict=True)
    ]
    return {"accuracy": 100 * sum(right) / max(1, len(right))}

  return by_rule


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
