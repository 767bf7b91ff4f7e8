"""SeqIO postprocessors: where in a prediction its answer stands.

Each takes one prediction or several samples. What never came to an answer is
'', which is wrong.
"""

from collections.abc import Callable, Mapping
from typing import Any

from distill.answers import completions, rules
from distill.data.metrics import for_each_decode
from distill.teacher import prompts

# In front of the answer. The comma is the one that Fine-tune-CoT's evaluator
# looks for and its template lacks; the other is SCoTD's.
THEREFORE = "\n\nTherefore, the answer is "
SO_THE_ANSWER = " So the answer is: "
# In front of the rationale (Narang et al. 2020, WT5).
EXPLANATION = " explanation: "
# SCoTD's prompt goes on so, and a student may invent the next question.
_NEXT_QUESTION = "\n\nQ: "


def _reading(read: Callable[[str], str]) -> Callable[..., Any]:
  @for_each_decode
  def postprocess(text: str, is_target: bool = False, **unused: object) -> str:
    # The target of a row that nobody was asked about is its label alone.
    return read(text) or (text if is_target else "")

  return postprocess


def _after(words: str, text: str) -> str:
  """Returns what follows the last of the words, which may begin a line."""
  return text.rpartition(words.strip())[2] if words.strip() in text else ""


answer_after_therefore = _reading(lambda text: _after(THEREFORE, text))
answer_after_so = _reading(
  lambda text: _after(SO_THE_ANSWER, text.partition(_NEXT_QUESTION)[0])
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
