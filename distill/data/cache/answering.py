"""From a teacher's completions to records, and what they add up to."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds

from distill.answers.rules import AnswerRule, rule_for
from distill.data.cache import manifest, records, verification
from distill.data.examples import Example
from distill.teacher.attempts import Sample
from distill.teacher.collecting import Collection, Ledger, Reading
from distill.teacher.parse_rate import ParseRate
from distill.teacher.prices import Price

_ORIGIN = ("teacher", "prompt", "prompt_sha256", "sampling")


def sampling(collection: Collection) -> str:
  """Returns how completions were drawn, for the manifest."""
  drawn = {"samples": collection.samples, **vars(collection.sampling)}
  again = collection.further
  if again is not None:
    drawn |= {"retry_wrong": len(again.retries), "hint_gold": bool(again.hint)}
  if collection.judge is not None:
    drawn["judge"] = collection.judge.teacher.name
  return " ".join(f"{name}={value}" for name, value in drawn.items())


def holds(
  entry: manifest.SplitEntry, origin: Mapping[str, str], num_shards: int
) -> bool:
  """Returns whether a split has the answers of this origin already."""
  if entry.data_sha256 != origin["data_sha256"]:
    return False
  return len(entry.shards) == num_shards and any(
    all(getattr(row, key) == origin[key] for key in _ORIGIN)
    for row in (entry, *entry.ledger)
  )


def read(directory: str, family: str, split: str) -> Iterator[records.Record]:
  """Yields a split's records, in their order."""
  builder = verification.open_builder(directory, family, split)
  config = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
  rows = builder.as_dataset(split=split, read_config=config)
  for row in tfds.as_numpy(rows):
    yield records.Record.from_dict(row)


class Answers:
  """The records of a teacher's answers, to be iterated over once; then counts.

  Args:
    examples: Those that have any answer, in their order.
    collection: Who was asked, and how.
    rule: Compares answers with the gold labels.
    split: Who uses the answers, for the journal: a name of this split alone.
    before: Records of other origin, by id, that the answers are added to.
    unread: Counts the answers that could be read, where nobody has yet.
  """

  def __init__(
    self,
    examples: Sequence[Example],
    collection: Collection,
    rule: AnswerRule,
    split: str,
    before: Mapping[str, records.Record],
    unread: ParseRate | None = None,
  ) -> None:
    self._examples = examples
    self._collection = collection
    self._rule = rule
    self._before = before
    self._unread = unread
    self._reading = Reading(examples, collection, split)
    self._answers = self._parsed = self._agreeing = 0

  def __iter__(self) -> Iterator[records.Record]:
    teacher = self._collection.teacher.name
    for example, found in zip(self._examples, self._reading, strict=True):
      record = _record(example, found, self._rule, teacher)
      if self._unread is not None:
        for said in (answer.completion for answer in found):
          self._unread.add(said.text, said.answer, said.finish_reason)
      self._answers += len(found)
      self._parsed += sum(map(bool, record.teacher_labels))
      self._agreeing += record.agrees.count(records.AGREES)
      yield _join(self._before.get(example.id), record)

  def entry(
    self,
    origin: Mapping[str, str],
    earlier: manifest.SplitEntry | None,
    failed: int,
    flags: str,
    record_bytes: int,
    staged: tuple[manifest.Shard, ...],
    modules: Sequence[str],
  ) -> manifest.SplitEntry:
    """Returns the manifest's entry, with the sums of an earlier one in it."""
    row = self._ledger_row(origin)
    rows = [row, *self._judge_rows()]
    entry = manifest.SplitEntry(
      **origin,
      examples=len(self._examples),
      labeled=sum(bool(example.label) for example in self._examples),
      answers=row.answers,
      parsed=row.parsed,
      agreeing=row.agreeing,
      prompt_tokens=sum(row.prompt_tokens for row in rows),
      completion_tokens=sum(row.completion_tokens for row in rows),
      failed=failed,
      flags=flags,
      record_bytes=record_bytes,
      shards=staged,
      modules=tuple(modules),
      ledger=tuple(rows),
    )
    if earlier is None:
      return entry
    summed = ["answers", "parsed", "agreeing", "failed"]
    summed += ["prompt_tokens", "completion_tokens"]
    return dataclasses.replace(
      entry,
      **{key: getattr(earlier, key) for key in _ORIGIN},
      **{key: getattr(earlier, key) + getattr(entry, key) for key in summed},
      flags=f"{earlier.flags} (and then --append {flags})",
      ledger=(*earlier.ledger, *rows),
    )

  def _ledger_row(self, origin: Mapping[str, str]) -> manifest.LedgerRow:
    return manifest.LedgerRow(
      teacher=origin["teacher"],
      prompt_sha256=origin["prompt_sha256"],
      sampling=origin["sampling"],
      prompt=origin["prompt"],
      answers=self._answers,
      parsed=self._parsed,
      agreeing=self._agreeing,
      **_cost(self._reading.ledger, self._collection.price),
    )

  def _judge_rows(self) -> list[manifest.LedgerRow]:
    """Returns the judge's row, which has verdicts and no answers."""
    judge = self._collection.judge
    if judge is None:
      return []
    row = manifest.LedgerRow(
      teacher=judge.teacher.name,
      prompt=judge.template.name,
      prompt_sha256=judge.template.sha256,
      sampling="",
      answers=0,
      parsed=0,
      agreeing=0,
      **_cost(self._reading.judge_ledger, judge.price),
    )
    return [row]


def _cost(ledger: Ledger, price: Price | None) -> dict[str, Any]:
  """Returns the fields of a row that say what answers took."""
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
  return records.Record(
    id=example.id,
    input=example.input,
    label=example.label,
    rationales=tuple(c.rationale for c in completions),
    teacher_labels=tuple(c.answer for c in completions),
    agrees=tuple(_agrees(c.answer, example.label, rule) for c in completions),
    finish_reasons=tuple(c.finish_reason for c in completions),
    teachers=(teacher,) * len(found),
    hinted=tuple(int(answer.hinted) for answer in found),
    verdicts=tuple(answer.verdict for answer in found),
    logprobs=tuple(map(sum, logprobs)) if len(logprobs) == len(found) else (),
    completions=tuple(c.text for c in completions),
  )


def _agrees(answer: str, label: str, rule: AnswerRule) -> int:
  if not label:
    return records.NO_GOLD
  agrees = bool(answer) and rule.equal(answer, label)
  return records.AGREES if agrees else records.DISAGREES


def _join(
  before: records.Record | None, record: records.Record
) -> records.Record:
  """Returns a record with the answers of both."""
  if before is None or not record.rationales:
    return before or record
  both: dict[str, Any] = {}
  for field in dataclasses.fields(record):
    first, second = getattr(before, field.name), getattr(record, field.name)
    if isinstance(second, tuple):
      # Log-probabilities and raw texts: of all answers, or of none.
      both[field.name] = first + second if first and second else ()
  return dataclasses.replace(record, **both)
