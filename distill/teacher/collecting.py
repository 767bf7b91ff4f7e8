"""Asks about many inputs: first all of it into the journal, then read back.

The first phase may be killed at any moment and repeated. The second asks
nobody: it hands the stored answers on in the order of the inputs, so that what
is made of them is the same however the first went.
"""

import asyncio
import collections
import contextlib
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distill.teacher.asking import Asker, Job, run_jobs
from distill.teacher.interface import AskingError, Request, Response, Teacher
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits
from distill.teacher.prices import Budget, Price
from distill.teacher.retrying import RetryPolicy
from distill.teacher.styles import Completion, Sampling, Style


class Question(Protocol):
  """What is asked about: an id for messages, and the input of a prompt."""

  @property
  def id(self) -> str:
    """Names it in messages."""

  @property
  def input(self) -> str:
    """What a style puts into its prompt."""


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


# Questions read back at a time; starting the event loop is not free.
_BATCH = 256

# Called when asking begins: shows how the asker gets on with so many jobs,
# until the context ends.
Display = Callable[[Asker, int], contextlib.AbstractAsyncContextManager[None]]


def ask_all(
  questions: Sequence[Question],
  collection: Collection,
  dead_letters: str,
  display: Display | None = None,
) -> collections.Counter[int]:
  """Asks for what the journal does not have yet.

  SIGINT and SIGTERM stop it cleanly: what is under way is waited for and kept.

  Args:
    questions: What to ask about.
    collection: Whom to ask, and how.
    dead_letters: Name of a file in the journal's folder: one line of JSON for
      each sample that failed. It is there only if one did.
    display: Shows the progress.

  Returns:
    How many samples have no answer, for each position of a question that
    lacks any.

  Raises:
    AskingError: Asking had to stop before all was asked.
  """
  journal = collection.journal
  failed: collections.Counter[int] = collections.Counter()
  if journal is None:
    return failed
  path = journal.folder / dead_letters
  path.unlink(missing_ok=True)

  def on_failure(number: int, error: AskingError) -> None:
    position = number // collection.samples
    failed[position] += 1
    question = questions[position]
    line = {
      "id": question.id,
      "sample": number % collection.samples,
      "failure": error.kind,
      "said": error.detail,
      "to_mend": AskingError.KINDS[error.kind],
      "time": round(time.time(), 3),
    }
    with path.open("a", encoding="utf-8") as file:
      file.write(json.dumps(line) + "\n")

  stopped = asyncio.run(_ask_all(questions, collection, on_failure, display))
  if stopped is not None:
    raise stopped
  return failed


async def _ask_all(
  questions: Sequence[Question],
  collection: Collection,
  on_failure: Callable[[int, AskingError], None],
  display: Display | None,
) -> AskingError | None:
  """Returns why asking stopped before its end, None if it did not."""
  asker = Asker(
    collection.teacher,
    collection.journal,
    collection.limits,
    collection.policy,
    Budget(collection.price, collection.max_cost),
  )
  jobs = (
    _job(collection.style, question.input, sample)
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
        await run_jobs(
          jobs, asker, on_result=lambda *_: None, on_failure=on_failure
        )
    finally:
      await asker.close()
  return asker.stopped


def _job(style: Style, input: str, sample: int) -> Job[Completion]:
  return lambda ask: style.complete(input, sample, ask)


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


@dataclass
class Ledger:
  """What all answers took, each paid request counted once."""

  requests: int = 0
  prompt_tokens: int = 0
  completion_tokens: int = 0

  def add(self, response: Response) -> None:
    """Counts an answer."""
    self.requests += 1
    self.prompt_tokens += response.prompt_tokens
    self.completion_tokens += response.completion_tokens


class Reading:
  """Each question's completions, in order, to be iterated over once.

  A sample without an answer is left out. A teacher that is free is asked now.
  The journal remembers what `split` uses; the rest may be collected as garbage.

  Attributes:
    ledger: What the answers so far took.
  """

  def __init__(
    self, questions: Sequence[Question], collection: Collection, split: str
  ) -> None:
    self._questions = questions
    self._collection = collection
    self._split = split
    self.ledger = Ledger()

  def __iter__(self) -> Iterator[list[Completion]]:
    journal = self._collection.journal
    if journal is not None:
      journal.forget_uses(self._split)
    with asyncio.Runner() as runner:
      for first in range(0, len(self._questions), _BATCH):
        batch = self._questions[first : first + _BATCH]
        yield from runner.run(self._read(batch))
    if journal is not None:
      journal.keep_uses()

  async def _read(self, batch: Sequence[Question]) -> list[list[Completion]]:
    return [await self._completions(question.input) for question in batch]

  async def _completions(self, input: str) -> list[Completion]:
    found = []
    for sample in range(self._collection.samples):
      try:
        style = self._collection.style
        found.append(await style.complete(input, sample, self._ask))
      except AskingError:
        if self._collection.journal is None:
          raise
    return found

  async def _ask(self, request: Request) -> Response:
    teacher, journal = self._collection.teacher, self._collection.journal
    if journal is None:
      response = await teacher.complete(request)
      self.ledger.add(response)
      return response
    key = request.key(teacher.name)
    found = journal.look_up(key)
    if found is None:
      raise AskingError("missing", "no answer is stored", False)
    if isinstance(found, AskingError):
      raise found
    if journal.use(self._split, key):
      self.ledger.add(found)
    return found
