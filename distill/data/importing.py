"""Published answers → the cache, as if a teacher had been asked here."""

import hashlib
import pathlib
from collections.abc import Iterable, Sequence

from distill.data.cache import records
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


def files_sha256(place: pathlib.Path) -> str:
  """Returns the SHA-256, in hex, of a file, or of a folder's JSON files."""
  digest = hashlib.sha256()
  paths = [place] if place.is_file() else sorted(place.rglob("*.json*"))
  for path in paths:
    digest.update(hashlib.sha256(path.read_bytes()).digest())
  return digest.hexdigest()
