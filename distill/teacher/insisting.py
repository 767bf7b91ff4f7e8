"""Asks again where it matters: wrong answers, and rationales in doubt.

Filtering by the gold label alone loses the hard questions. So a wrong answer
is asked for anew at a rising temperature, at last, if at all, with the label
in the prompt (Zelikman et al. 2022), and a second teacher may judge.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distill.answers.rules import AnswerRule, YesNoAnswer, rule_for
from distill.teacher import prompts
from distill.teacher.interface import AskingError, AskOne, Request, Teacher
from distill.teacher.prices import Price
from distill.teacher.styles import Completion, Sampling, Style

_WARMER = 0.3
_WARMEST = 1.2
_JUDGE_TOKENS = 256


class Question(Protocol):
  """What is asked about: an id, the input of a prompt, and the gold label."""

  @property
  def id(self) -> str:
    """Names it in messages."""

  @property
  def input(self) -> str:
    """What a style puts into its prompt."""

  @property
  def label(self) -> str:
    """The right answer, '' where it is not known."""


@dataclass(frozen=True)
class Answer:
  """One sample's completion.

  Attributes:
    completion: The first that is right, else the first.
    hinted: Whether its prompt showed the gold label.
    verdict: 1 or 0: the judge found that the rationale supports the answer or
      not; -1: nobody was asked, or no verdict could be read.
    failure: Why a further attempt or the judge gave no reply; None: they did.
  """

  completion: Completion
  hinted: bool = False
  verdict: int = -1
  failure: AskingError | None = None


def warmer(sampling: Sampling, retries: int) -> list[Sampling]:
  """Returns how to draw each further attempt: hotter than the one before."""
  return [
    dataclasses.replace(
      sampling,
      temperature=max(
        sampling.temperature,
        min(_WARMEST, sampling.temperature + _WARMER * attempt),
      ),
    )
    for attempt in range(1, retries + 1)
  ]


@dataclass(frozen=True)
class Insistence:
  """What is done where an answer is not the gold label.

  Attributes:
    rule: Compares the two.
    retries: The styles of further attempts, in order.
    hint: Shows the label, in the end; None: never.
  """

  rule: AnswerRule
  retries: Sequence[Style] = ()
  hint: prompts.PromptTemplate | None = None

  async def answer(
    self,
    style: Style,
    question: Question,
    sample: int,
    samples: int,
    ask: AskOne,
  ) -> Answer:
    """Returns the first answer that is right, else the first of all.

    The first that fails ends the further attempts: what was answered before is
    kept.

    Args:
      style: Asks first, and asks with the hint.
      question: What about.
      sample: Which of the samples.
      samples: How many there are: further attempts are samples beyond them.
      ask: Answers requests.

    Raises:
      AskingError: The first attempt failed, or the run is to end.
    """
    first = await style.complete(question.input, sample, ask)
    if not question.label or self._is_right(first, question):
      return Answer(first)
    try:
      found = await self._again(style, question, sample, samples, ask)
    except AskingError as error:
      if error.ends_run:
        raise
      return Answer(first, failure=error)
    return found or Answer(first)

  async def _again(
    self,
    style: Style,
    question: Question,
    sample: int,
    samples: int,
    ask: AskOne,
  ) -> Answer | None:
    """Returns the first right answer of the further attempts, if any."""
    for attempt, retry in enumerate(self.retries, start=1):
      other = sample + attempt * samples
      again = await retry.complete(question.input, other, ask)
      if self._is_right(again, question):
        return Answer(again)
    if self.hint is not None:
      hinted = prompts.fill(
        self.hint.text, input=question.input, answer=question.label
      )
      again = await style.complete(hinted, sample, ask)
      if self._is_right(again, question):
        return Answer(again, hinted=True)
    return None

  def _is_right(self, completion: Completion, question: Question) -> bool:
    rule = rule_for(self.rule, question.input)
    answer = completion.answer
    return bool(answer) and rule.equal(answer, question.label)


@dataclass(frozen=True)
class Judge:
  """A second teacher who says whether a rationale supports its answer."""

  teacher: Teacher
  price: Price | None = None
  template: prompts.PromptTemplate = field(
    default_factory=lambda: prompts.load_prompt("verify_v1")
  )

  async def judge(
    self, question: Question, answer: Answer, ask: AskOne
  ) -> Answer:
    """Returns the answer with its verdict.

    There is none without a rationale, nor where the judge gave no reply.

    Raises:
      AskingError: The run is to end.
    """
    completion = answer.completion
    if not completion.rationale:
      return answer
    prompt = prompts.fill(
      self.template.text,
      input=question.input,
      rationale=completion.rationale,
      answer=completion.answer,
    )
    try:
      response = await ask(Request(prompt, max_tokens=_JUDGE_TOKENS))
    except AskingError as error:
      if error.ends_run:
        raise
      return dataclasses.replace(answer, failure=error)
    said = YesNoAnswer().parse(response.text)
    verdict = {"yes": 1, "no": 0}.get(said or "", -1)
    return dataclasses.replace(answer, verdict=verdict)
