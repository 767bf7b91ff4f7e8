"""Dataset, prompt and teacher → the cache of one split, and its ledger."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from distill.answers.rules import AnswerRule, rule_for
from distill.data.cache import files, manifest, records
from distill.data.examples import Choice, Dataset, Example
from distill.errors import UserError, require
from distill.teacher import collecting
from distill.teacher.attempts import Collection, Sample
from distill.teacher.collecting import Ledger, Reading
from distill.teacher.interface import AskingError
from distill.teacher.parse_rate import ParseRate
from distill.teacher.prices import Price


def sampling(collection: Collection) -> str:
  """Returns how completions were drawn, for the manifest."""
  drawn = {"samples": collection.samples, **vars(collection.sampling)}
  again = collection.further
  if again is not None:
    drawn |= {"retry_wrong": len(again.retries), "hint_gold": bool(again.hint)}
  if collection.judge is not None:
    drawn["judge"] = collection.judge.teacher.name
  return " ".join(f"{name}={value}" for name, value in drawn.items())


@dataclass
class AnswerRecords:
  """The records of a teacher's answers, to be iterated over once; then counts.

  Attributes:
    examples: Those that have any answer, in their order.
    collection: Who was asked, and how.
    rule: Compares answers with the gold labels.
    user: The unique name under which the journal notes the uses of answers.
    before: Records of other origin, by id, that the answers are added to.
    unread: Counts the answers that could be read, where nobody has yet.
    on_record: Called with the number of records so far and their total.
  """

  examples: Sequence[Example]
  collection: Collection
  rule: AnswerRule
  user: str
  before: Mapping[str, records.Record]
  unread: ParseRate | None = None
  on_record: Callable[[int, int], None] | None = None

  def __post_init__(self) -> None:
    self._reading = Reading(self.examples, self.collection, self.user)
    self._counts: Counter[str] = Counter()

  def __iter__(self) -> Iterator[records.Record]:
    teacher = self.collection.teacher.name
    all_found = zip(self.examples, self._reading, strict=True)
    for done, (example, found) in enumerate(all_found, start=1):
      record = _record(example, found, self.rule, teacher)
      if self.unread is not None:
        for said in (answer.completion for answer in found):
          self.unread.add(said.text, said.answer, said.finish_reason)
      self._counts.update(manifest.counts_of(record))
      before = self.before.get(example.id)
      if before is not None:
        record = before.with_answers(record) if found else before
      if self.on_record is not None:
        self.on_record(done, len(self.examples))
      yield record

  def ledger(self, origin: Mapping[str, str]) -> tuple[manifest.LedgerRow, ...]:
    """Returns the teacher's row, and the judge's, which has no answers."""
    first: dict[str, Any] = {name: origin[name] for name in manifest.ORIGIN}
    cost = _cost(self._reading.ledger, self.collection.price)
    row = manifest.LedgerRow(**first | self._counts | cost)
    judge = self.collection.judge
    if judge is None:
      return (row,)
    judged = manifest.LedgerRow(
      *(judge.teacher.name, judge.template.name, judge.template.sha256, ""),
      **_cost(self._reading.judge_ledger, judge.price),
    )
    return row, judged


def _cost(ledger: Ledger, price: Price | None) -> dict[str, Any]:
  """Returns the fields of a row for requests, tokens and cost."""
  cost = None
  if price is not None:
    cost = round(price.cost(ledger.prompt_tokens, ledger.completion_tokens), 6)
  source = price.reference if price else ""
  return {**vars(ledger), "cost": cost, "price": source}


def _record(
  example: Example, found: Sequence[Sample], rule: AnswerRule, teacher: str
) -> records.Record:
  rule = rule_for(rule, example.input)
  completions = [answer.completion for answer in found]
  logprobs = [c.logprobs for c in completions if c.logprobs is not None]
  return records.Record.of(
    example,
    rationales=(c.rationale for c in completions),
    teacher_labels=(c.answer for c in completions),
    agrees=(_agrees(c.answer, example.label, rule) for c in completions),
    finish_reasons=(c.finish_reason for c in completions),
    teachers=(teacher,) * len(found),
    hinted=(int(answer.hinted) for answer in found),
    verdicts=(answer.verdict for answer in found),
    logprobs=map(sum, logprobs) if len(logprobs) == len(found) else (),
    completions=(c.text for c in completions),
  )


def _agrees(answer: str, label: str, rule: AnswerRule) -> int:
  if not label:
    return records.NO_GOLD
  agrees = bool(answer) and rule.equal(answer, label)
  return records.AGREES if agrees else records.DISAGREES


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

  An existing split is kept. If it has the same teacher, prompt and data, it is
  verified and no request is sent, except for samples that failed before.

  Args:
    dataset: Where the examples come from.
    split: Which of them.
    collection: Whom to ask, and how.
    answer_rule: Compares answers with the gold labels.
    directory: The family's folder, made where it does not exist.
    choice: Which examples; None: all.
    num_shards: None: `files.default_num_shards`.
    overwrite: Replaces a split of other origin, or a damaged one.
    append: Adds the answers to those of a split of another origin.
    flags: The command's flags for teacher, prompt and shards, for messages.
    modules: The modules that register the family, except `tasks`.
    display: Shows the progress of asking.
    on_record: Called with the number of records so far and their total.

  Returns:
    The split's entry in the manifest, and whether it was written now.

  Raises:
    UserError: The directory cannot be written or holds something else; the
      split is there and differs, or is damaged; or answers are missing.
  """
  choice = choice or Choice()
  examples = choice.examples(dataset, split)
  num_shards = num_shards or files.default_num_shards(len(examples))
  origin = _origin(collection, examples, num_shards)
  place = directory, dataset.name, split
  earlier = _earlier(*place, overwrite)
  if earlier is not None and earlier.holds(origin):
    if not earlier.failed or len(earlier.ledger) > 1:
      return files.verify(*place), False
    earlier = None  # Write it again, with the samples that failed.
  elif earlier is not None:
    same = ("data_sha256", "num_shards") if append else origin
    wanted = {name: origin[name] for name in same}
    files.check_same(directory, split, wanted, earlier.origin())
  name = f"failed-{dataset.name}-{split}.jsonl"
  unread = _unread(collection, choice)
  failed = _ask(examples, collection, choice, name, display, unread)
  before = {}
  if earlier is not None:
    before = {record.id: record for record in files.read(*place)}
  user = directory if "://" in directory else os.path.abspath(directory)
  answers = AnswerRecords(
    examples=[
      example
      for position, example in enumerate(examples)
      if failed[position] < collection.samples or example.id in before
    ],
    collection=collection,
    rule=answer_rule,
    user=f"{user}/{split}",
    before=before,
    unread=unread if collection.journal is None else None,
    on_record=on_record,
  )
  entry = _write(
    place, answers, origin, failed.total(), flags, modules, earlier
  )
  if collection.journal is not None:
    collection.journal.keep_uses(answers.user, append=earlier is not None)
  return entry, True


def _write(
  place: tuple[str, str, str],
  answers: AnswerRecords,
  origin: Mapping[str, str],
  failed: int,
  flags: str,
  modules: Sequence[str],
  earlier: manifest.SplitEntry | None,
) -> manifest.SplitEntry:
  """Writes the records and returns their entry, after an earlier one's."""
  directory, _, split = place
  with files.writing(directory):
    count = len(answers.examples)
    staged, size = files.stage(
      *place, answers, int(origin["num_shards"]), count
    )
    if answers.unread is not None:
      answers.unread.check()
    entry = manifest.SplitEntry(
      data_sha256=origin["data_sha256"],
      examples=count,
      labeled=sum(bool(example.label) for example in answers.examples),
      failed=failed,
      flags=flags,
      record_bytes=size,
      shards=staged,
      modules=tuple(modules),
      ledger=answers.ledger(origin),
    )
    entry = entry if earlier is None else entry.after(earlier)
    files.commit(directory, split, entry)
  return entry


def _origin(
  collection: Collection, examples: Sequence[Example], num_shards: int
) -> dict[str, str]:
  """Returns what two splits of one origin have in common."""
  return {
    "teacher": collection.teacher.name,
    "prompt": collection.style.name,
    "prompt_sha256": collection.style.sha256,
    "sampling": sampling(collection),
    "data_sha256": records.data_sha256(examples),
    "num_shards": str(num_shards),
  }


def _earlier(
  directory: str, family: str, split: str, overwrite: bool
) -> manifest.SplitEntry | None:
  """Returns the entry of a split that is there and not to be overwritten."""
  with files.writing(directory):
    tf.io.gfile.makedirs(directory)
    known = files.open_cache(directory, family)
  return None if overwrite else known.splits.get(split)


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
  """Asks about the examples of one shard, and returns how many they are.

  Responses go to the journal only. `build_cache` with the journals of all
  shards sends no request, and writes what a single run would have written.

  Raises:
    UserError: There is no such shard, or answers are missing.
  """
  there = 0 <= index < num_shards
  require("--shard_index", index, there, f"from 0 to {num_shards - 1}")
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
