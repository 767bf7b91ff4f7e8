"""What is to be asked of whom: one value that both phases of asking read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from distill.teacher.insisting import Answer, Insistence, Judge, Question
from distill.teacher.interface import AskOne, Teacher
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.prices import Price
from distill.teacher.retrying import RetryPolicy
from distill.teacher.styles import Sampling, Style

Helper = Callable[[Sequence[Question], "Collection"], None]


@dataclass
class Collection:
  """Whom to ask, how, how often, and where the answers are kept.

  Attributes:
    teacher: Whom.
    style: How: makes the prompts and reads the completions.
    sampling: How the style draws completions, for the manifest.
    samples: Completions for each input.
    journal: Where answers are kept; None for a teacher that is free.
    limits: How fast to ask.
    policy: When to ask again.
    price: What tokens cost, None where that is not known.
    max_cost: The most US dollars to spend in this run.
    insistence: What to do about answers that are not the gold label.
    judge: Who judges the rationales.
    poll_seconds: None asks one by one. Else it is asked by batch files, which
      are looked at so often.
    helper: Asks first, elsewhere: it gets questions and this, and what it is
      answered into the journal.
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
  insistence: Insistence | None = None
  judge: Judge | None = None
  poll_seconds: float | None = None
  helper: Helper | None = None

  async def answer(
    self, question: Question, sample: int, ask: AskOne, ask_judge: AskOne
  ) -> Answer:
    """Returns one sample for a question; raises what either `ask` raises."""
    if self.insistence is None:
      found = await self.style.complete(question.input, sample, ask)
      answer = Answer(found)
    else:
      answer = await self.insistence.answer(
        self.style, question, sample, self.samples, ask
      )
    if self.judge is None:
      return answer
    return await self.judge.judge(question, answer, ask_judge)
