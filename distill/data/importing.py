"""Published answers → the cache, as if a teacher had been asked here."""

import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence

import tensorflow as tf

from distill.data import cache_writing, manifest, records, shards
from distill.data.examples import Dataset, Example, example_id
from distill.data.published_rationales import Answer
from distill.errors import UserError
from distill.teacher import answers as rules
from distill.teacher.completions import parse_completion
from distill.teacher.parsers import Parser


def group(
  found: Iterable[Answer], dataset: Dataset, default_split: str
) -> dict[str, list[tuple[Example, list[Answer]]]]:
  """Returns the answers to each example, by split, in the files' order.

  Answers of one id, or without one of the same input, are of one example.
  Train inputs that the dataset holds out for validation go there, and labels
  that the files lack come from the dataset, if it can be read.
  """
  held_out = getattr(dataset, "held_out", lambda text: False)
  groups: dict[str, dict[tuple[str, str], list[Answer]]] = {}
  for answer in found:
    split = answer.split or default_split
    if split == "train" and held_out(answer.input):
      split = "validation"
    name = answer.id or example_id(answer.input)
    rows = groups.setdefault(split, {})
    rows.setdefault((name, answer.input), []).append(answer)
  return {
    split: [
      (Example(name, text, _label(some, known.get(name, ""))), some)
      for (name, text), some in rows.items()
    ]
    for split, rows in groups.items()
    for known in [_known_labels(dataset, split, rows.values())]
  }


def _known_labels(
  dataset: Dataset, split: str, groups: Iterable[Sequence[Answer]]
) -> dict[str, str]:
  """Returns the dataset's labels by id, if any are needed and it is there."""
  if all(some[0].label for some in groups):
    return {}
  try:
    return {e.id: e.label for e in dataset.examples(split)}
  except UserError:
    return {}


def _label(some: Sequence[Answer], known: str) -> str:
  return some[0].label or known


def to_record(
  example: Example,
  some: Sequence[Answer],
  rule: rules.AnswerRule,
  parser: Parser | None,
  teacher: str,
) -> records.Record:
  """Returns the record of one example's answers, in their order.

  With a seed system's parser they are read and compared as it did, and nothing
  that was cut short is left out; with `rule` that is a failure.
  """
  rule = rules.rule_for(rule, example.input)
  equal = parser.equal if parser else rule.equal
  read = [_read(answer, rule, parser) for answer in some]
  agrees = []
  for (_, said), answer in zip(read, some, strict=True):
    if example.label:
      agrees.append(int(bool(said) and equal(said, example.label)))
    else:
      agrees.append(
        records.NO_GOLD if answer.right is None else int(answer.right)
      )
  return records.Record(
    id=example.id,
    input=example.input,
    label=example.label,
    rationales=tuple(rationale for rationale, _ in read),
    teacher_labels=tuple(said for _, said in read),
    agrees=tuple(agrees),
    finish_reasons=tuple(answer.finish_reason for answer in some),
    teachers=tuple(teacher or answer.teacher for answer in some),
    hinted=(0,) * len(some),
    verdicts=(records.NOT_JUDGED,) * len(some),
    completions=tuple(answer.text for answer in some),
  )


def _read(
  answer: Answer, rule: rules.AnswerRule, parser: Parser | None
) -> tuple[str, str]:
  if answer.read is not None:
    rationale, said = answer.read
    return rationale.strip(), rule.parse(said) or ""
  if parser is not None:
    parsed = parser.parse(answer.text)
  elif answer.finish_reason == "length":
    return "", ""
  else:
    parsed = parse_completion(answer.text, rule)
  return parsed.rationale, parsed.answer


def write(
  directory: str,
  family: str,
  split: str,
  content: Sequence[records.Record],
  *,
  command: str,
  source: str,
  flags: str,
  overwrite: bool,
  num_shards: int | None = None,
  origin: manifest.SplitEntry | None = None,
) -> manifest.SplitEntry:
  """Writes records that no teacher was asked for here as a cache's split.

  Args:
    directory: The cache's folder.
    family: The dataset's name.
    split: The split.
    content: Its records.
    command: Which of our commands wants it.
    source: What the records come from, for the manifest.
    flags: The command's flags, for messages.
    overwrite: Replaces a split that is there.
    num_shards: None: `shards.default_num_shards`.
    origin: The entry of the cache that these were chosen from: it says who was
      asked, and how.

  Raises:
    UserError: The folder cannot be written, or the split is there and came
      about in another way.
  """
  with cache_writing.writing(directory):
    tf.io.gfile.makedirs(directory)
    known = cache_writing.open_cache(directory, family).splits.get(split)
    if known is not None and not overwrite:
      if (known.command, known.source, known.flags) == (command, source, flags):
        return known
      raise UserError(
        f"{directory} has a '{split}' split that came about in another way.",
        expected=f"{command} {flags}, of {source}",
        found=f"{known.command} {known.flags}, of {known.source}",
        remedy="give another --output_dir, or add --overwrite to replace it",
      )
    num_shards = num_shards or shards.default_num_shards(len(content))
    staged, size = shards.stage(directory, family, split, content, num_shards)
    names = dict.fromkeys(name for row in content for name in row.teachers)
    digest = hashlib.sha256()
    for row in content:
      line = json.dumps([row.id, row.input, row.label])
      digest.update(line.encode("ascii") + b"\n")
    labels = [label for row in content for label in row.teacher_labels]
    entry = manifest.SplitEntry(
      teacher=origin.teacher if origin else ", ".join(names),
      prompt=origin.prompt if origin else "",
      prompt_sha256=origin.prompt_sha256 if origin else "",
      data_sha256=digest.hexdigest(),
      examples=len(content),
      labeled=sum(bool(row.label) for row in content),
      answers=len(labels),
      parsed=sum(map(bool, labels)),
      agreeing=sum(row.agrees.count(records.AGREES) for row in content),
      prompt_tokens=0,
      completion_tokens=0,
      flags=flags,
      record_bytes=size,
      shards=staged,
      command=command,
      source=source,
    )
    cache_writing.commit(directory, split, entry)
  return entry


def files_sha256(place: pathlib.Path) -> str:
  """Returns the SHA-256, in hex, of a file, or of a folder's JSON files."""
  digest = hashlib.sha256()
  paths = [place] if place.is_file() else sorted(place.rglob("*.json*"))
  for path in paths:
    digest.update(hashlib.sha256(path.read_bytes()).digest())
  return digest.hexdigest()
