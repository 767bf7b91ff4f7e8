"""Published answers → the cache, as if a teacher had been asked here."""

import hashlib
import pathlib
import re
from collections.abc import Iterable, Sequence

from distill.answers import finish_reasons, rules
from distill.answers.completions import parse_completion
from distill.answers.upstream import Parser
from distill.data.cache import records
from distill.data.examples import Dataset, Example, example_id
from distill.data.published_rationales import Answer

# Where an input goes that the dataset has in several splits, none the files'.
_SAFEST = ("test", "validation", "train")


def group(
  found: Iterable[Answer], dataset: Dataset, default_split: str
) -> dict[str, list[tuple[Example, list[Answer]]]]:
  """Returns the answers to each example, by split, in the files' order.

  Answers of one id, or without one of the same input, are of one example. An
  input that the dataset has, word for word, goes to the split where it has it,
  whatever the files say, so that no test question is ever trained on; unless
  it has an id of its own it becomes the dataset's example. Train inputs that
  only the files have go to validation by the dataset's own rule.
  """
  held_out = getattr(dataset, "held_out", lambda text: False)
  known = _known(dataset)
  groups: dict[str, dict[tuple[str, str], tuple[Example, list[Answer]]]] = {}
  for answer in found:
    split, name = answer.split or default_split, example_id(answer.input)
    own = known.get(name) or known.get(_words(answer.input), {})
    if own and split not in own:
      split = next(other for other in _SAFEST if other in own)
    elif not own and split == "train" and held_out(answer.input):
      split = "validation"
    label = answer.label or (own[split].label if own else "")
    example = Example(answer.id or name, answer.input, label)
    if own and not answer.id:
      example = own[split]
    rows = groups.setdefault(split, {})
    key = example.id, example.input
    rows.setdefault(key, (example, []))[1].append(answer)
  return {split: list(rows.values()) for split, rows in groups.items()}


def _known(dataset: Dataset) -> dict[str, dict[str, Example]]:
  """Returns the dataset's examples by id and by words, then by split.

  Splits that cannot be read without a download are passed over.
  """
  known: dict[str, dict[str, Example]] = {}
  is_there = getattr(dataset, "is_there", lambda split: True)
  for split in dataset.splits:
    if is_there(split):
      for example in dataset.examples(split):
        for key in (example_id(example.input), _words(example.input)):
          known.setdefault(key, {}).setdefault(split, example)
  return known


def _words(text: str) -> str:
  """Returns what two inputs share that differ in case and punctuation alone."""
  return " ".join(re.findall(r"\w+", text.casefold()))


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
  paths = [place] if place.is_file() else sorted(place.rglob("*.json*"))
  for path in paths:
    digest.update(hashlib.sha256(path.read_bytes()).digest())
  return digest.hexdigest()
