"""The first phase of asking: all of it into the journal.

It may be killed at any moment and repeated; `reading.py` is the second.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from distill.errors import UserError
from distill.teacher import event_loop
from distill.teacher.asking import Asker, run_jobs
from distill.teacher.collection import Collection
from distill.teacher.insisting import Answer, Question
from distill.teacher.interface import (
  AskingError,
  AskOne,
  Teacher,
  printable,
)
from distill.teacher.journal import Journal
from distill.teacher.prices import Budget, Purse
from distill.teacher.unread import UnreadAnswers

# Called when asking begins: shows how the asker gets on with so many jobs,
# until the context ends.
Display = Callable[[Asker, int], contextlib.AbstractAsyncContextManager[None]]


class Failures(collections.Counter[int]):
  """How many samples have no answer, for each position of a question.

  Attributes:
    reasons: How many, for each thing that the server or the network said.
  """

  def __init__(self) -> None:
    super().__init__()
    self.reasons: collections.Counter[str] = collections.Counter()


def ask_all(
  questions: Sequence[Question],
  collection: Collection,
  dead_letters: str,
  display: Display | None = None,
  unread: UnreadAnswers | None = None,
) -> Failures:
  """Asks for what the journal does not have yet.

  SIGINT and SIGTERM stop it cleanly: what is under way is waited for and kept.

  Args:
    questions: What to ask about.
    collection: Whom to ask, and how.
    dead_letters: Name of a file in the journal's folder: one line of JSON for
      each sample that failed, or whose further attempt or judge did. It is
      there only if one did.
    display: Shows the progress.
    unread: Counts the answers that could be read.

  Returns:
    The samples that have no answer.

  Raises:
    AskingError: Asking had to stop before all was asked.
  """
  journal = collection.journal
  failed = Failures()
  if journal is None:
    return failed
  path = journal.folder / dead_letters
  path.unlink(missing_ok=True)

  kept = 0

  def note(number: int, error: AskingError, answered: bool) -> None:
    nonlocal kept
    position = number // collection.samples
    if answered:
      kept += 1
    else:
      failed[position] += 1
      failed.reasons[str(error)] += 1
    question = questions[position]
    line = {
      "id": question.id,
      "sample": number % collection.samples,
      "answered": answered,
      "failure": error.kind,
      "said": error.detail,
      "to_mend": AskingError.KINDS[error.kind],
      "time": round(time.time(), 3),
    }
    with path.open("a", encoding="utf-8") as file:
      file.write(json.dumps(line) + "\n")

  budget = Budget(collection.price, Purse(collection.max_cost))
  judge_budget = budget
  if collection.judge is not None:
    judge_budget = Budget(collection.judge.price, budget.purse)
  if collection.helper is not None:
    collection.helper(questions, collection)
  if collection.poll_seconds is not None:
    # What failed there goes the way of all failures; a judge is asked after.
    failures = event_loop.run(
      _ask_by_batches(questions, collection, journal, budget)
    )
    collection = dataclasses.replace(collection, teacher=failures)

  def on_failure(number: int, error: AskingError) -> None:
    note(number, error, False)

  def on_result(number: int, answer: Answer) -> None:
    if answer.failure is not None:
      note(number, answer.failure, True)
    found = answer.completion
    if unread is not None:
      unread.add(found.text, found.answer, found.finish_reason)

  then = on_result, on_failure
  stopped = event_loop.run(
    _ask_all(questions, collection, then, display, budget, judge_budget)
  )
  if stopped is not None:
    raise stopped
  if kept:
    print(
      f"{kept:,} answers are kept although a further attempt or the judge"
      f" failed ({path}). To ask for these, run again with --overwrite.",
      file=sys.stderr,
    )
  return failed


async def _ask_by_batches(
  questions: Sequence[Question],
  collection: Collection,
  journal: Journal,
  budget: Budget,
) -> Teacher:
  from distill.teacher import batching, openai

  teacher = collection.teacher
  if not isinstance(teacher, openai.OpenAITeacher):
    raise UserError(
      "--batch_api cannot ask this.",
      expected="--teacher=openai",
      found=teacher.name,
    )
  return await batching.ask_by_batches(
    questions,
    dataclasses.replace(collection, judge=None),
    teacher,
    journal,
    budget,
    lambda line: print(printable(line), file=sys.stderr, flush=True),
  )


async def _ask_all(
  questions: Sequence[Question],
  collection: Collection,
  then: tuple[
    Callable[[int, Answer], None], Callable[[int, AskingError], None]
  ],
  display: Display | None,
  budget: Budget,
  judge_budget: Budget,
) -> AskingError | None:
  """Returns why asking stopped before its end, None if it did not."""
  ask_with = functools.partial(
    Asker,
    journal=collection.journal,
    limits=collection.limits,
    policy=collection.policy,
  )
  judges = []
  if collection.judge is not None:
    judges = [ask_with(collection.judge.teacher, budget=judge_budget)]
  asker = ask_with(collection.teacher, budget=budget, partners=judges)
  judge = judges[0] if judges else asker
  jobs = (
    functools.partial(_answer, collection, question, sample, judge)
    for question in questions
    for sample in range(collection.samples)
  )
  shown = (
    display(asker, len(questions) * collection.samples)
    if display
    else (contextlib.nullcontext())
  )
  with _stopping(asker):
    try:
      async with shown:
        on_result, on_failure = then
        await run_jobs(jobs, asker, on_result=on_result, on_failure=on_failure)
    finally:
      await asker.close()
      await judge.close()
  return asker.stopped


async def _answer(
  collection: Collection,
  question: Question,
  sample: int,
  judge: Asker,
  ask: AskOne,
) -> Answer:
  return await collection.answer(question, sample, ask, judge.ask)


@contextlib.contextmanager
def _stopping(asker: Asker) -> Iterator[None]:
  """Stops cleanly at the first SIGINT or SIGTERM; a second one kills."""
  loop = asyncio.get_running_loop()
  signals = (signal.SIGINT, signal.SIGTERM)

  def stop(number: signal.Signals) -> None:
    asker.stop(AskingError("interrupted", f"by {number.name}", False))
    for each in signals:
      loop.remove_signal_handler(each)

  # Only the main thread may; elsewhere whoever called it handles them.
  with contextlib.suppress(ValueError, RuntimeError):
    for number in signals:
      loop.add_signal_handler(number, stop, number)
  try:
    yield
  finally:
    with contextlib.suppress(ValueError, RuntimeError):
      for number in signals:
        loop.remove_signal_handler(number)
