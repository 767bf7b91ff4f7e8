"""How one sample is collected: a first attempt, further ones, and a judge.

A filter by the gold label alone loses the hard questions. Therefore a wrong
answer is requested again at a rising temperature and, last of all, with the
label in the prompt (Zelikman et al. 2022). A second teacher may judge.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distill.answers.rules import AnswerRule, YesNoAnswer, rule_for
from distill.teacher import prompts
from distill.teacher.interface import AskingError, AskOne, Request, Teacher
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits, RetryPolicy
from distill.teacher.prices import Price
from distill.teacher.styles import Completion, Sampling, Style

_TEMPERATURE_STEP = 0.3
_MOST_TEMPERATURE = 1.2
_JUDGE_TOKENS = 256


class Question(Protocol):
  """What a teacher is asked: an id, the input of a prompt, the gold label."""

  @property
  def id(self) -> str:
    """Names it in messages."""

  @property
  def input(self) -> str:
    """The text that a style puts into its prompt."""

  @property
  def label(self) -> str:
    """The right answer, '' where it is not known."""


@dataclass(frozen=True)
class Sample:
  """One sample's completion.

  Attributes:
    completion: The first right one, or else the first.
    hinted: Whether its prompt showed the gold label.
    verdict: 1 or 0: the judge found that the rationale supports the answer or
      that it does not. -1: there is no judge, or no verdict could be read.
    failure: Why a further attempt or the judge gave no response, None if they
      did.
  """

  completion: Completion
  hinted: bool = False
  verdict: int = -1
  failure: AskingError | None = None


def rising_temperatures(sampling: Sampling, retries: int) -> list[Sampling]:
  """Returns the sampling of each further attempt: hotter than the last one."""
  steps = [
    min(_MOST_TEMPERATURE, sampling.temperature + _TEMPERATURE_STEP * attempt)
    for attempt in range(1, retries + 1)
  ]
  return [
    dataclasses.replace(sampling, temperature=max(sampling.temperature, step))
    for step in steps
  ]


@dataclass(frozen=True)
class FurtherAttempts:
  """The attempts that follow an answer which is not the gold label.

  Attributes:
    rule: Compares the answer with the label.
    retries: The styles of further attempts, in order.
    hint: A template that shows the label, for the last attempt; None for none.
  """

  rule: AnswerRule
  retries: Sequence[Style] = ()
  hint: prompts.PromptTemplate | None = None

  async def sample(
    self,
    style: Style,
    question: Question,
    number: int,
    samples: int,
    ask: AskOne,
  ) -> Sample:
    """Returns the first right answer, or else the first one.

    A failed request ends the further attempts; the first answer is kept.

    Args:
      style: Makes the first attempt, and the one with the hint.
      question: The question.
      number: The number of this sample, from 0.
      samples: How many samples there are; further attempts are numbered
        beyond them.
      ask: Answers requests.

    Raises:
      AskingError: The first attempt failed, or the run must end.
    """
    first = await style.complete(question.input, number, ask)
    if not question.label or self._is_right(first, question):
      return Sample(first)
    try:
      for attempt, retry in enumerate(self.retries, start=1):
        place = number + attempt * samples
        again = await retry.complete(question.input, place, ask)
        if self._is_right(again, question):
          return Sample(again)
      if self.hint is not None:
        hinted = prompts.fill(
          self.hint.text, input=question.input, answer=question.label
        )
        again = await style.complete(hinted, number, ask)
        if self._is_right(again, question):
          return Sample(again, hinted=True)
    except AskingError as error:
      if error.ends_run:
        raise
      return Sample(first, failure=error)
    return Sample(first)

  def _is_right(self, completion: Completion, question: Question) -> bool:
    rule = rule_for(self.rule, question.input)
    answer = completion.answer
    return bool(answer) and rule.equal(answer, question.label)


@dataclass(frozen=True)
class Judge:
  """A second teacher, which says whether a rationale supports its answer."""

  teacher: Teacher
  price: Price | None = None
  template: prompts.PromptTemplate = field(
    default_factory=lambda: prompts.load_prompt("verify_v1")
  )

  async def judge(
    self, question: Question, sample: Sample, ask: AskOne
  ) -> Sample:
    """Returns the sample with its verdict.

    There is no verdict without a rationale, or where the request failed.

    Raises:
      AskingError: The run must end.
    """
    completion = sample.completion
    if not completion.rationale:
      return sample
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
      return dataclasses.replace(sample, failure=error)
    said = YesNoAnswer().parse(response.text)
    verdict = {"yes": 1, "no": 0}.get(said or "", -1)
    return dataclasses.replace(sample, verdict=verdict)


# Puts responses to questions into the journal, before others are requested.
Helper = Callable[[Sequence[Question], "Collection"], None]


@dataclass
class Collection:
  """Which teacher is asked, how, how often, and where responses are kept.

  Attributes:
    teacher: The teacher.
    style: Makes the prompts and parses the completions.
    sampling: How the style samples completions, for the manifest.
    samples: Completions for each input.
    journal: Keeps the responses; None for a teacher that is free.
    limits: How fast requests may be sent.
    policy: When requests are retried.
    price: What tokens cost, None where that is not known.
    max_cost: The most US dollars to spend in this run.
    further: The further attempts at wrong answers, None for none.
    judge: Judges the rationales.
    poll_seconds: None sends single requests. Otherwise requests are sent in
      batch files, whose state is polled at this interval.
    helper: Asks elsewhere before phase one: it gets the questions and this
      value, and puts responses into the journal.
  """

  teacher: Teacher
  style: Style
  sampling: Sampling = field(default_factory=Sampling)
  samples: int = 1
  journal: Journal | None = None
  limits: Limits = field(default_factory=Limits)
  policy: RetryPolicy = field(default_factory=RetryPolicy)
  price: Price | None = None
  max_cost: float | None = None
  further: FurtherAttempts | None = None
  judge: Judge | None = None
  poll_seconds: float | None = None
  helper: Helper | None = None

  async def sample(
    self, question: Question, number: int, ask: AskOne, ask_judge: AskOne
  ) -> Sample:
    """Returns one sample for a question; raises what either `ask` raises."""
    if self.further is None:
      sample = Sample(await self.style.complete(question.input, number, ask))
    else:
      sample = await self.further.sample(
        self.style, question, number, self.samples, ask
      )
    if self.judge is None:
      return sample
    return await self.judge.judge(question, sample, ask_judge)
