"""The second phase of asking: stored answers, in the order of the questions.

It asks nobody, so that what is made of the answers is the same however the
first phase went.
"""

import asyncio
import contextlib
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.teacher.collection import Collection
from distill.teacher.insisting import Answer, Question
from distill.teacher.interface import AskingError, Request, Response, Teacher

# Questions read back at a time, in one transaction and run of the event loop.
_BATCH = 1024


@dataclass
class Ledger:
  """What all answers took, each paid request counted once.

  `not_sent` has the parameters that the server did not take, for any answer.
  """

  requests: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0
  not_sent: str = ""

  def add(self, response: Response) -> None:
    """Counts an answer."""
    self.requests += 1
    self.prompt_tokens += response.prompt_tokens
    self.completion_tokens += response.completion_tokens
    if response.not_sent != self.not_sent:
      both = f"{self.not_sent},{response.not_sent}".split(",")
      self.not_sent = ",".join(sorted(set(both) - {""}))


class Reading:
  """Each question's completions, in order, to be iterated over once.

  A sample without an answer is left out. A teacher that is free is asked now.
  The journal notes in a draft what `split` uses; whoever has written the split
  makes it final by `Journal.keep_uses`.

  Attributes:
    ledger: What the answers so far took.
    judge_ledger: What the judge's verdicts took.
  """

  def __init__(
    self, questions: Sequence[Question], collection: Collection, split: str
  ) -> None:
    self._questions = questions
    self._collection = collection
    self._split = split
    self.ledger = Ledger()
    self.judge_ledger = Ledger()

  def __iter__(self) -> Iterator[list[Answer]]:
    journal = self._collection.journal
    if journal is not None:
      journal.forget_uses(self._split)
    with asyncio.Runner() as runner:
      for first in range(0, len(self._questions), _BATCH):
        batch = self._questions[first : first + _BATCH]
        # No transaction is open while the answers are handed on: whatever
        # happens there, and however long it takes, blocks nobody.
        with contextlib.nullcontext() if journal is None else journal.reading():
          found = runner.run(self._read(batch))
        yield from found

  async def _read(self, batch: Sequence[Question]) -> list[list[Answer]]:
    return [await self._answers(question) for question in batch]

  async def _answers(self, question: Question) -> list[Answer]:
    collection, found = self._collection, []
    judge = collection.judge
    ask = functools.partial(self._ask, collection.teacher, self.ledger)
    ask_judge = ask
    if judge is not None:
      ask_judge = functools.partial(self._ask, judge.teacher, self.judge_ledger)
    for sample in range(collection.samples):
      try:
        found.append(await collection.answer(question, sample, ask, ask_judge))
      except AskingError:
        if collection.journal is None:
          raise
    return found

  async def _ask(
    self, teacher: Teacher, ledger: Ledger, request: Request
  ) -> Response:
    journal = self._collection.journal
    if journal is None:
      response = await teacher.complete(request)
      ledger.add(response)
      return response
    keys = request.keys(teacher.name)
    found = journal.look_up(*keys)
    if found is None:
      raise AskingError("missing", "no answer is stored", False)
    new = journal.use(self._split, *keys)
    if isinstance(found, AskingError):
      raise found
    if new:
      ledger.add(found)
    return found
