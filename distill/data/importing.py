"""Published answers → the cache, as if a teacher had been asked here."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Iterable, Sequence

from distill.answers import finish_reasons, rules
from distill.answers.completions import parse_completion
from distill.answers.upstream import PublishedParser
from distill.data import raw_files, similarity
from distill.data.cache import records
from distill.data.examples import (
  Dataset,
  Example,
  absent_splits,
  check_split,
  example_id,
  normalise,
  read_split,
  shown,
)
from distill.data.published_rationales import PublishedAnswer
from distill.errors import UserError

# Where an input goes that the dataset has in several splits, none the files'.
_SAFEST = ("test", "validation", "train")

Groups = dict[str, list[tuple[Example, list[PublishedAnswer]]]]


def group(
  found: Iterable[PublishedAnswer], dataset: Dataset, default_split: str
) -> Groups:
  """Returns the answers to each example, by split, in the files' order.

  An input that the dataset has, in any wording (`similarity`), becomes the
  dataset's example, with its id, input and label, in the split where the
  dataset has it, so that no test question is ever trained on. Of the dataset's
  repeated inputs, each id in the files is another one. Other answers of one
  id, or without one of the same input, are of one example. Train inputs that
  only the files have go to validation by the dataset's own rule.

  Raises:
    UserError: The dataset cannot be read or lacks a split that the files name,
      or an id in the files stands for two inputs.
  """
  placing = _Placing(dataset)
  groups: dict[str, dict[str, tuple[Example, list[PublishedAnswer]]]] = {}
  for answer in found:
    split, example = placing.place(answer, default_split)
    rows = groups.setdefault(split, {})
    kept, answers = rows.setdefault(example.id, (example, []))
    if kept.input != example.input:
      raise UserError(
        f"The id '{example.id}' stands for two inputs.",
        expected="an id for each input",
        found=f"{shown(kept.input)} and {shown(example.input)}",
        remedy="leave --field=id out, or name a field that tells inputs apart",
      )
    answers.append(answer)
  return {split: list(rows.values()) for split, rows in groups.items()}


class _Placing:
  """Knows which example an answer is of.

  Splits of the dataset that cannot be read without a download are passed over.
  """

  def __init__(self, dataset: Dataset) -> None:
    self._dataset = dataset
    self._held_out = getattr(dataset, "held_out", lambda text: False)
    absent = absent_splits(dataset)
    splits = sorted(
      (split for split in dataset.splits if split not in absent), key=_safety
    )
    self._known = [
      (split, example)
      for split in splits
      for example in read_split(dataset, split)
    ]
    self._ids = {example.id for _, example in self._known}
    self._as_written: dict[str, list[tuple[str, Example]]] = {}
    self._normalised: dict[str, list[tuple[str, Example]]] = {}
    for known in self._known:
      text = known[1].input
      self._as_written.setdefault(text, []).append(known)
      self._normalised.setdefault(normalise(text), []).append(known)
    self._found: dict[str, list[tuple[str, Example]]] = {}
    self._counted: dict[tuple[str, str], dict[str, int]] = {}

  @functools.cached_property
  def _index(self) -> similarity.Index[tuple[str, Example]]:
    index: similarity.Index[tuple[str, Example]] = similarity.Index()
    for split, example in self._known:
      index.add(example.input, (split, example))
    return index

  def _examples(self, input: str) -> list[tuple[str, Example]]:
    """Returns the dataset's examples of an input, in the safest split first.

    If only the wording differs, they are all from that split.
    """
    if input not in self._found:
      found = self._as_written.get(input) or self._normalised.get(
        normalise(input)
      )
      if not found:
        reworded = self._index.find(input)
        found = [one for one in reworded if one[0] == reworded[0][0]]
      self._found[input] = found
    return self._found[input]

  def place(self, answer: PublishedAnswer, default: str) -> tuple[str, Example]:
    """Returns an answer's split and example."""
    split = answer.split or default
    check_split(self._dataset, split)
    found = self._examples(answer.input)
    if found:
      splits = [other for other, _ in found]
      split = split if split in splits else splits[0]
      return split, self._choose(
        [example for other, example in found if other == split], answer.id
      )
    if split == "train" and self._held_out(answer.input):
      split = "validation"
    input = answer.input.strip()
    name = example_id(input)
    repeats = self._count((split, name), input)
    name = answer.id or (f"{name}-{repeats}" if repeats else name)
    if name in self._ids:
      raise UserError(
        f"The id '{name}' is that of an example of the dataset.",
        expected="other ids for inputs that the dataset does not have",
        found=shown(input),
        remedy="leave --field=id out",
      )
    return split, Example(name, input, answer.label)

  def _choose(self, examples: Sequence[Example], id: str) -> Example:
    """Returns which of a repeated input's examples an id stands for."""
    known = {example.id: example for example in examples}
    if id in known:
      return known[id]
    number = self._count(("", examples[0].id), id)
    return examples[number if number < len(examples) else 0]

  def _count(self, key: tuple[str, str], text: str) -> int:
    """Returns how many other texts came with a key before a text first did."""
    texts = self._counted.setdefault(key, {})
    return texts.setdefault(text, len(texts))


def _safety(split: str) -> int:
  return _SAFEST.index(split) if split in _SAFEST else len(_SAFEST)


def to_record(
  example: Example,
  some: Sequence[PublishedAnswer],
  rule: rules.AnswerRule,
  parser: PublishedParser | None,
  teacher: str,
) -> records.Record:
  """Returns the record of one example's answers, in their order.

  With a seed system's parser they are read and compared as it did, and nothing
  that was cut short is left out; with `rule` that is a failure.
  """
  rule = rules.rule_for(rule, example.input)
  example = dataclasses.replace(example, label=_label(example.label, rule))
  equal = parser.equal if parser else rule.equal
  read = [_read(answer, rule, parser) for answer in some]

  def agrees(said: str, right: bool | None) -> int:
    if example.label:
      return int(bool(said) and equal(said, example.label))
    return records.NO_GOLD if right is None else int(right)

  return records.Record.of(
    example,
    rationales=(rationale for rationale, _ in read),
    teacher_labels=(said for _, said in read),
    agrees=(
      agrees(said, answer.right)
      for (_, said), answer in zip(read, some, strict=True)
    ),
    finish_reasons=(answer.finish_reason for answer in some),
    teachers=(teacher or answer.teacher for answer in some),
    hinted=(0,) * len(some),
    verdicts=(records.NOT_JUDGED,) * len(some),
    completions=(answer.text for answer in some),
  )


def _label(label: str, rule: rules.AnswerRule) -> str:
  """Returns a label in the family's form: the choice, where it is a letter."""
  choices = rules.choices_of(rule)
  return (
    label if not choices or label in choices else rule.parse(label) or label
  )


def _read(
  answer: PublishedAnswer,
  rule: rules.AnswerRule,
  parser: PublishedParser | None,
) -> tuple[str, str]:
  if parser is not None and answer.read is None:
    parsed = parser.parse(answer.text)
  elif not finish_reasons.is_whole(answer.finish_reason):
    return "", ""
  elif answer.read is not None:
    rationale, said = answer.read
    return rationale.strip(), rule.parse(said) or ""
  else:
    parsed = parse_completion(answer.text, rule)
  return parsed.rationale, parsed.answer


def files_sha256(place: pathlib.Path) -> str:
  """Returns the SHA-256, in hex, of a file, or of a folder's JSON files."""
  digest = hashlib.sha256()
  for path in raw_files.data_files(place):
    digest.update(hashlib.sha256(path.read_bytes()).digest())
  return digest.hexdigest()
