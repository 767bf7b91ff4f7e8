"""Dataset, prompt and teacher → the cache of one split."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from distill.answers.rules import AnswerRule
from distill.data.cache import (
  answering,
  manifest,
  records,
  shards,
  verification,
  writing,
)
from distill.data.examples import (
  Dataset,
  Example,
  in_order,
  read_split,
  share_size,
)
from distill.errors import UserError
from distill.teacher import collecting
from distill.teacher.collecting import Collection
from distill.teacher.interface import AskingError
from distill.teacher.parse_rate import ParseRate


@dataclass(frozen=True)
class Choice:
  """Which examples of a split are asked about, and what may be missing.

  Attributes:
    fraction: The share of examples (Vöge et al. 2024 ask about a part). It is
      the part that training takes by the same share and seed
      (`selection.Selection`), and a larger share has all of a smaller one.
    limit: The most examples, from the first; None: all of the share.
    allow_failures: Leaves out what the teacher failed to answer.
    seed: Of the order whose beginning is the share.
    allow_unread: Writes the cache even if hardly any answer could be read.
  """

  fraction: float = 1.0
  limit: int | None = None
  allow_failures: bool = False
  seed: int = 0
  allow_unread: bool = False

  def __post_init__(self) -> None:
    if not 0 < self.fraction <= 1:
      raise UserError(
        "No such share of the examples can be asked about.",
        expected="--fraction above 0, at most 1",
        found=str(self.fraction),
      )
    if self.limit is not None and self.limit < 1:
      raise UserError(
        "So few examples cannot be asked about.",
        expected="--limit=1 or more",
        found=str(self.limit),
      )

  def examples(self, dataset: Dataset, split: str) -> Sequence[Example]:
    """Returns the chosen examples, in their order.

    Raises:
      UserError: The split cannot be read, or its ids are not unique.
    """
    found = read_split(dataset, split)
    if self.fraction < 1:
      order = in_order([example.id for example in found], self.seed)
      chosen = set(order[: share_size(self.fraction, len(found))])
      found = [example for example in found if example.id in chosen]
    return found[: self.limit]


def build_cache(
  dataset: Dataset,
  split: str,
  collection: Collection,
  answer_rule: AnswerRule,
  directory: str,
  *,
  choice: Choice | None = None,
  num_shards: int | None = None,
  overwrite: bool = False,
  append: bool = False,
  flags: str = "",
  modules: Sequence[str] = (),
  display: collecting.Display | None = None,
  on_record: Callable[[int, int], None] | None = None,
) -> tuple[manifest.SplitEntry, bool]:
  """Asks the teacher about the examples of a split and caches its answers.

  A split that is there already is left alone: if it came from the same
  teacher, prompt and data it is verified and nobody is asked again, but for
  what failed then.

  Args:
    dataset: Where the examples come from.
    split: Which of them.
    collection: Whom to ask, and how.
    answer_rule: Compares answers with the gold labels.
    directory: The family's folder, made where it does not exist.
    choice: Which examples; None: all.
    num_shards: None: `shards.default_num_shards`.
    overwrite: Replaces a split of other origin, or a damaged one.
    append: Adds the answers to those of a split of another origin.
    flags: The command's flags for teacher, prompt and shards, for messages.
    modules: What registers the family, but for `tasks`.
    display: Shows the progress of asking.
    on_record: Called with the number of records so far and their total.

  Returns:
    The split's entry in the manifest, and whether it was written now.

  Raises:
    UserError: The directory cannot be written or holds something else, the
      split is there and is different, or damaged, or answers are missing.
  """
  choice = choice or Choice()
  examples = choice.examples(dataset, split)
  num_shards = num_shards or shards.default_num_shards(len(examples))
  origin = {
    "teacher": collection.teacher.name,
    "prompt": collection.style.name,
    "prompt_sha256": collection.style.sha256,
    "sampling": answering.sampling(collection),
    "data_sha256": writing.data_sha256(examples),
  }
  with writing.writing(directory):
    tf.io.gfile.makedirs(directory)
    known = writing.open_cache(directory, dataset.name)
  earlier = None if overwrite else known.splits.get(split)
  if earlier is not None and answering.holds(earlier, origin, num_shards):
    if not earlier.failed or len(earlier.ledger) > 1:
      return verification.verify(directory, dataset.name, split), False
    earlier = None  # Written again, with what failed then.
  elif earlier is not None:
    wanted = {"data_sha256": origin["data_sha256"]} if append else origin
    writing.check_same(directory, split, earlier, wanted, num_shards)
  name = f"failed-{dataset.name}-{split}.jsonl"
  unread = _unread(collection, choice)
  failed = _ask(examples, collection, choice, name, display, unread)
  before = {}
  if earlier is not None:
    old = answering.read(directory, dataset.name, split)
    before = {record.id: record for record in old}
  found = [
    example
    for position, example in enumerate(examples)
    if failed[position] < collection.samples or example.id in before
  ]
  place = directory if "://" in directory else os.path.abspath(directory)
  user = f"{place}/{split}"
  asked_now = unread if collection.journal is None else None
  answers = answering.Answers(
    found, collection, answer_rule, user, before, asked_now
  )
  with writing.writing(directory):
    staged, size = shards.stage(
      directory,
      dataset.name,
      split,
      _counted(answers, len(found), on_record),
      num_shards,
      len(found),
    )
    if asked_now is not None:
      asked_now.check()
    said = flags, size, staged, modules
    entry = answers.entry(origin, earlier, failed.total(), *said)
    writing.commit(directory, split, entry)
  if collection.journal is not None:
    collection.journal.keep_uses(user, append=earlier is not None)
  return entry, True


def ask_shard(
  dataset: Dataset,
  split: str,
  collection: Collection,
  index: int,
  num_shards: int,
  *,
  choice: Choice | None = None,
  display: collecting.Display | None = None,
) -> int:
  """Asks about the examples of one shard, into the journal alone.

  `build_cache` with the journals of all shards asks nobody any more, and
  writes what a single run would have written.

  Returns:
    The number of examples.

  Raises:
    UserError: There is no such shard, or answers are missing.
  """
  if not 0 <= index < num_shards:
    raise UserError(
      "There is no such shard.",
      expected=f"--shard_index from 0 to {num_shards - 1}, of --num_shards",
      found=str(index),
    )
  choice = choice or Choice()
  examples = choice.examples(dataset, split)
  first, end = (i * len(examples) // num_shards for i in (index, index + 1))
  name = f"failed-{dataset.name}-{split}-{index}.jsonl"
  unread = _unread(collection, choice)
  _ask(examples[first:end], collection, choice, name, display, unread)
  return end - first


def _unread(collection: Collection, choice: Choice) -> ParseRate:
  return ParseRate(
    collection.style.form,
    "reword the prompt (--prompt), or give another --style or --model, or a"
    " higher --max_tokens where answers are cut short; --allow_unread writes"
    " the cache all the same, and what was answered is not asked again",
    choice.allow_unread,
  )


def _ask(
  examples: Sequence[Example],
  collection: Collection,
  choice: Choice,
  name: str,
  display: collecting.Display | None,
  unread: ParseRate,
) -> collecting.Failures:
  """Returns the samples that have no answer.

  Those are described in the file `name` in the journal's folder.

  Raises:
    UserError: Asking stopped, hardly any answer could be read, or samples are
      missing that may not be.
  """
  try:
    failed = collecting.ask_all(examples, collection, name, display, unread)
  except AskingError as error:
    raise UserError(
      "Asking the teacher stopped before its end.",
      expected="what is answered so far is kept, and is not asked again",
      found=str(error),
      remedy=AskingError.KINDS[error.kind],
    ) from None
  if collection.journal is None:
    return failed
  unread.check()
  if failed and not choice.allow_failures:
    [(reason, _)] = failed.reasons.most_common(1)
    raise UserError(
      f"{failed.total():,} of {len(examples) * collection.samples:,} samples"
      " have no answer, so that no cache was written.",
      expected="an answer to each, or --allow_failures to leave them out",
      found=f"{reason} (all are in {collection.journal.folder / name})",
      remedy="run the same command again: only these are asked",
    )
  return failed


def _counted(
  answers: Iterable[records.Record],
  total: int,
  on_record: Callable[[int, int], None] | None,
) -> Iterator[records.Record]:
  for done, record in enumerate(answers, start=1):
    if on_record is not None:
      on_record(done, total)
    yield record
