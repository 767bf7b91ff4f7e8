"""Collects a teacher's answers to questions, in two phases.

Phase one, `ask_all`, puts all responses into the journal. It may be killed at
any moment and run again. Phase two, `Reading`, reads them back in the order of
the questions. It sends nothing, so that its result does not depend on the
course of phase one.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from distill.teacher import asking
from distill.teacher.asking import Asker
from distill.teacher.attempts import Collection, Question, Sample
from distill.teacher.interface import AskingError, Request, Response, Teacher
from distill.teacher.journal import Journal
from distill.teacher.parse_rate import ParseRate
from distill.teacher.prices import Budget, Purse

# Shows the progress of an asker, for a number of jobs, until the context ends.
Display = Callable[[Asker, int], contextlib.AbstractAsyncContextManager[None]]
# Questions read back at a time, in one transaction and run of the event loop.
_BATCH = 1024


class Failures(collections.Counter[int]):
  """How many samples have no answer, by the position of their question.

  Each failure is also a line of JSON in a file, which is not there without
  failures.

  Attributes:
    reasons: How many, by the message of the server or the network.
    kept: How many samples are kept although a further attempt or the judge
      failed.
  """

  def __init__(
    self,
    questions: Sequence[Question] = (),
    samples: int = 1,
    path: pathlib.Path = pathlib.Path(os.devnull),
  ) -> None:
    super().__init__()
    self._questions = questions
    self._samples = samples
    self._path = path
    self.reasons: collections.Counter[str] = collections.Counter()
    self.kept = 0

  def fail(self, number: int, error: AskingError) -> None:
    """Counts a sample that has no answer."""
    self[number // self._samples] += 1
    self.reasons[str(error)] += 1
    self._write(number, error, False)

  def keep(self, number: int, error: AskingError) -> None:
    """Counts a sample that is kept although a later request failed."""
    self.kept += 1
    self._write(number, error, True)

  def _write(self, number: int, error: AskingError, answered: bool) -> None:
    line = {
      "id": self._questions[number // self._samples].id,
      "sample": number % self._samples,
      "answered": answered,
      "failure": error.kind,
      "said": error.detail,
      "to_mend": AskingError.KINDS[error.kind],
      "time": round(time.time(), 3),
    }
    with self._path.open("a", encoding="utf-8") as file:
      file.write(json.dumps(line) + "\n")


def ask_all(
  questions: Sequence[Question],
  collection: Collection,
  dead_letters: str,
  display: Display | None = None,
  parse_rate: ParseRate | None = None,
) -> Failures:
  """Requests what the journal does not have yet.

  SIGINT and SIGTERM stop it cleanly: requests in flight are waited for.

  Args:
    questions: The questions.
    collection: Which teacher is asked, and how.
    dead_letters: The name of a file in the journal's folder. It gets one line
      of JSON for each sample that failed, or whose further attempt or judge
      failed. Without failures there is no file.
    display: Shows the progress.
    parse_rate: Counts the answers that could be parsed.

  Returns:
    The samples that have no answer.

  Raises:
    AskingError: The run had to stop before its end.
  """
  journal, judge = collection.journal, collection.judge
  if journal is None:
    return Failures()
  path = journal.folder / dead_letters
  path.unlink(missing_ok=True)
  failures = Failures(questions, collection.samples, path)
  budget = Budget(collection.price, Purse(collection.max_cost))
  judge_budget = Budget(judge.price, budget.purse) if judge else budget
  if collection.helper is not None:
    collection.helper(questions, collection)
  if collection.poll_seconds is not None:
    from distill.teacher import batching

    # Its failures are repeated below, where a judge is asked, too.
    failed = asking.run(batching.ask_by_batches(questions, collection, budget))
    collection = dataclasses.replace(collection, teacher=failed)

  def on_result(number: int, sample: Sample) -> None:
    if sample.failure is not None:
      failures.keep(number, sample.failure)
    found = sample.completion
    if parse_rate is not None:
      parse_rate.add(found.text, found.answer, found.finish_reason)

  stopped = asking.run(
    _run_jobs(
      questions,
      collection,
      journal,
      (budget, judge_budget),
      display or (lambda *_: contextlib.nullcontext()),
      on_result=on_result,
      on_failure=failures.fail,
    )
  )
  if stopped is not None:
    raise stopped
  if failures.kept:
    print(
      f"{failures.kept:,} answers are kept although a further attempt or the"
      f" judge failed ({path}). To ask for these, run again with"
      " --overwrite.",
      file=sys.stderr,
    )
  return failures


async def _run_jobs(
  questions: Sequence[Question],
  collection: Collection,
  journal: Journal,
  budgets: tuple[Budget, Budget],
  display: Display,
  **callbacks: Callable[[int, Any], None],
) -> AskingError | None:
  """Runs a job for each sample; the budgets are the teacher's and the judge's.

  Returns:
    Why the run stopped before its end, None if it did not.
  """
  asker_of = functools.partial(
    Asker,
    journal=journal,
    limits=collection.limits,
    policy=collection.policy,
  )
  judges = []
  if collection.judge is not None:
    judges = [asker_of(collection.judge.teacher, budget=budgets[1])]
  asker = asker_of(collection.teacher, budget=budgets[0], partners=judges)
  ask_judge = (judges or [asker])[0].ask

  def job(question: Question, number: int) -> asking.Job[Sample]:
    return lambda ask: collection.sample(question, number, ask, ask_judge)

  numbers = range(collection.samples)
  jobs = itertools.starmap(job, itertools.product(questions, numbers))
  with _stop_signals(asker):
    try:
      async with display(asker, len(questions) * collection.samples):
        await asking.run_jobs(jobs, asker, **callbacks)
    finally:
      for each in (asker, *judges):
        await each.close()
  return asker.stopped


@contextlib.contextmanager
def _stop_signals(asker: Asker) -> Iterator[None]:
  """Stops cleanly at the first SIGINT or SIGTERM; a second one kills."""
  loop = asyncio.get_running_loop()
  signals = (signal.SIGINT, signal.SIGTERM)

  def remove() -> None:
    for number in signals:
      loop.remove_signal_handler(number)

  def stop(number: signal.Signals) -> None:
    asker.stop(AskingError("interrupted", f"by {number.name}", False))
    remove()

  # Python allows this in the main thread only.
  with contextlib.suppress(ValueError, RuntimeError):
    for number in signals:
      loop.add_signal_handler(number, stop, number)
  try:
    yield
  finally:
    with contextlib.suppress(ValueError, RuntimeError):
      remove()


@dataclass
class Ledger:
  """What all responses cost, each paid request counted once.

  `not_sent` has the parameters that the server refused, for any response.
  """

  requests: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0
  not_sent: str = ""

  def add(self, response: Response) -> None:
    """Counts a response."""
    self.requests += 1
    self.prompt_tokens += response.prompt_tokens
    self.completion_tokens += response.completion_tokens
    if response.not_sent != self.not_sent:
      both = f"{self.not_sent},{response.not_sent}".split(",")
      self.not_sent = ",".join(sorted(set(both) - {""}))


class Reading:
  """The samples of each question, in order, to be iterated over once.

  A sample without an answer is left out. A teacher that is free is asked now.
  The journal notes in a draft which responses `split` uses. Once the split is
  written, the draft becomes final by `Journal.keep_uses`.

  Attributes:
    ledger: What the teacher's responses so far cost.
    judge_ledger: What the judge's responses so far cost.
  """

  def __init__(
    self, questions: Sequence[Question], collection: Collection, split: str
  ) -> None:
    self._questions = questions
    self._collection = collection
    self._split = split
    self.ledger = Ledger()
    self.judge_ledger = Ledger()

  def __iter__(self) -> Iterator[list[Sample]]:
    journal = self._collection.journal
    if journal is not None:
      journal.forget_uses(self._split)
    with asyncio.Runner() as runner:
      for first in range(0, len(self._questions), _BATCH):
        batch = self._questions[first : first + _BATCH]
        # No transaction is open while the samples are consumed: whatever
        # happens there, and however long it takes, blocks no other process.
        with contextlib.nullcontext() if journal is None else journal.reading():
          found = runner.run(self._read(batch))
        yield from found

  async def _read(self, batch: Sequence[Question]) -> list[list[Sample]]:
    return [await self._samples(question) for question in batch]

  async def _samples(self, question: Question) -> list[Sample]:
    collection, found = self._collection, []
    judge = collection.judge
    ask = functools.partial(self._ask, collection.teacher, self.ledger)
    ask_judge = ask
    if judge is not None:
      ask_judge = functools.partial(self._ask, judge.teacher, self.judge_ledger)
    for number in range(collection.samples):
      try:
        found.append(await collection.sample(question, number, ask, ask_judge))
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
