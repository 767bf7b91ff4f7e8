"""The students' accuracy, and where in a prediction its answer stands.

Accuracy uses the answer rule that judges the teacher too. The SeqIO
postprocessors take one prediction or several samples; a prediction that never
came to an answer becomes '', which is wrong.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill.answers import completions, rules
from distill.answers.rules import AnswerRule
from distill.teacher import prompts

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


# In front of the answer. The comma is the one that Fine-tune-CoT's evaluator
# looks for and its template lacks; the other is SCoTD's.
THEREFORE = "\n\nTherefore, the answer is "
SO_THE_ANSWER = " So the answer is: "
# In front of the rationale (Narang et al. 2020, WT5).
EXPLANATION = " explanation: "
# SCoTD's prompt goes on so, and a student may invent the next question.
_NEXT_QUESTION = "\n\nQ: "


def _reading(read: Callable[[str], str]) -> Callable[..., Any]:
  """Returns the SeqIO postprocessor that reads the answer in a text."""

  @for_each_decode
  def postprocess(text: str, is_target: bool = False, **unused: object) -> str:
    # Rows without a teacher's answer have only their label as target.
    return read(text) or (text if is_target else "")

  return postprocess


def _after(words: str, text: str) -> str:
  """Returns what follows the last of the words, '' where there are none."""
  return text.rpartition(words)[2] if words in text else ""


# A prediction without an arrow has no answer; a target without one is it.
answer_after_arrow = _reading(functools.partial(_after, ANSWER_ARROW))
# Both may begin a line.
answer_after_therefore = _reading(functools.partial(_after, THEREFORE.strip()))
answer_after_so = _reading(
  lambda text: _after(SO_THE_ANSWER.strip(), text.partition(_NEXT_QUESTION)[0])
)
answer_before_explanation = _reading(
  lambda text: text.partition(EXPLANATION.strip())[0]
)


def answer_to(
  rule: rules.AnswerRule, before: str = "", prompt: str = ""
) -> Callable[..., Any]:
  """Returns a postprocessor that reads an answer knowing its question.

  Args:
    rule: Reads the answer, in the choices that the question lists.
    before: What stands in front of the question.
    prompt: The teacher's prompt that stands around it instead; answers are
      then read as the teacher's are.
  """

  @for_each_decode
  def postprocess(
    text: str,
    example: Mapping[str, Any] | None = None,
    is_target: bool = False,
    **unused: object,
  ) -> str:
    if is_target:
      return text
    head, _, tail = (
      prompts.load_prompt(prompt).text if prompt else before + prompts.HOLE
    ).partition(prompts.HOLE)
    asked = bytes((example or {}).get("inputs_pretokenized", b"")).decode()
    known = rules.rule_for(rule, asked.removeprefix(head).removesuffix(tail))
    if prompt:
      return completions.parse_completion(text, known).answer
    return known.parse(text) or ""

  return postprocess
