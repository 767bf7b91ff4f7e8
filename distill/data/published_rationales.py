"""Rationale files that others published, read as answers to inputs.

Four formats: the folder of Distilling Step-by-Step, the completion files of
Fine-tune-CoT, SCoTD's pools, and plain rows with a field map.
"""

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distill.answers import finish_reasons
from distill.data import raw_files
from distill.data.examples import with_ids
from distill.data.published.released import released
from distill.data.published.rows import read
from distill.errors import UserError

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_TEACHERS = ("palm", "llm", "gpt-neox")


@dataclass(frozen=True)
class Answer:
  """One published answer.

  Attributes:
    split: The split that the file says it belongs to, '' if it does not.
    input: The question.
    label: The gold label, '' where the file does not have it.
    text: The raw completion.
    finish_reason: Why the completion ended, '' where nothing says it.
    teacher: Who gave it, '' where the file does not say.
    id: The row's own id, '' where it has none.
    read: Rationale and answer, where the file has them apart; else None.
    right: Whether the file has it for right, None where it does not say.
  """

  split: str
  input: str
  label: str
  text: str
  finish_reason: str = ""
  teacher: str = ""
  id: str = ""
  read: tuple[str, str] | None = None
  right: bool | None = None


def read_dss(folder: pathlib.Path, options: Mapping[str, str]) -> "Answers":
  """Yields `<set>_<split>.json` with its `llm/<split>_CoT_<k>.json` beside it.

  Raises:
    UserError: Rows and completions do not pair up, or there are none.
  """
  del options
  for name, split in _SPLITS.items():
    for path in sorted(folder.glob(f"*_{name}.json")):
      # A repeated row is an example of its own, as in the dataset.
      found = enumerate(raw_files.read_rows(path))
      named = ((f"Row {number} of {path}", row) for number, row in found)
      rows = with_ids(read(released, named))
      for teacher in _TEACHERS:
        texts = _dss_texts(folder / teacher, name)
        if texts and len(texts) != len(rows):
          raise UserError(
            f"{folder / teacher} does not belong to {path}.",
            expected=f"{len(rows)} completions, one a row",
            found=str(len(texts)),
          )
        for row, text in zip(rows, texts, strict=False):
          finish, names = _dss_finish(text), (teacher, row.id)
          yield Answer(split, row.input, row.label, text, finish, *names)


def _dss_texts(folder: pathlib.Path, split: str) -> list[str]:
  paths = folder.glob(f"{split}_CoT_*.json")
  numbered = sorted((int(p.stem.rpartition("_")[2]), p) for p in paths)
  return [str(t) for _, path in numbered for t in raw_files.read_json(path)]


def _dss_finish(text: str) -> str:
  # Every text goes on until a limit: it is whole if a blank line or a period
  # ends the answer before that.
  whole = "\n\n" in text or text.rstrip().endswith(".")
  return finish_reasons.STOP if whole else finish_reasons.LENGTH


def read_fine_tune_cot(
  folder: pathlib.Path, options: Mapping[str, str]
) -> "Answers":
  """Yields completion files; `split_file` says which sample is in which split.

  Raises:
    UserError: A file is not of the format.
  """
  places: dict[str, str] = {}
  if options.get("split_file"):
    path = pathlib.Path(options["split_file"])
    for split, indices in raw_files.read_json(path).items():
      places |= {str(index): split for index in indices}
  for path in _files(folder):
    content = raw_files.read_json(path)
    with _format(path, "'metadata' and 'data', of samples by their index"):
      teacher = str(content["metadata"].get("base_model", ""))
      for index, samples in content["data"].items():
        for sample in samples:
          yield _fine_tune_cot_answer(sample, places.get(index, ""), teacher)


def _fine_tune_cot_answer(
  sample: Mapping[str, Any], split: str, teacher: str
) -> Answer:
  text = sample["completion"]
  reasons = [sample.get("finish_reason") or ""]
  if "reasoning_completion" in sample:
    reasoning = sample["reasoning_completion"].strip()
    text = f"{reasoning}\nTherefore, the answer is{text}"
    reasons.append(sample.get("reasoning_finish_reason") or "")
  reason = finish_reasons.joined(reasons[::-1])
  question, label = sample["question"].strip(), str(sample["answer"])
  return Answer(split, question, label, text, reason, teacher)


def read_scotd(folder: pathlib.Path, options: Mapping[str, str]) -> "Answers":
  """Yields pools, by 'model*dataset*run*more', of scored responses.

  Raises:
    UserError: A file is not of the format.
  """
  del options
  for path in _files(folder):
    pools = raw_files.read_json(path)
    with _format(path, "lists of prompt, response and score, by a pool's name"):
      for name, rows in pools.items():
        for row in rows:
          asked = f"\n{row['prompt']}".rpartition("\nQ:")[2]
          yield Answer(
            split="",
            input=asked.rpartition("\nA:")[0].strip(),
            label="",
            text=row["response"],
            finish_reason=finish_reasons.STOP,
            teacher=name.split("*")[0],
            right=row["score"] >= 0.5,
          )


def read_rows(folder: pathlib.Path, options: Mapping[str, str]) -> "Answers":
  """Yields rows of `.jsonl` and `.json` files by a map from our fields.

  A field is a row's key, or a template of them: 'premise: {premise}'. With
  `rationale` and `answer` the completion need not be read.

  Raises:
    UserError: A row lacks a field.
  """
  fields = {name: value for name, value in options.items() if value}
  for path in _files(folder):
    for number, row in enumerate(raw_files.read_rows(path)):
      row = {key: "" if value is None else value for key, value in row.items()}
      with _format(f"Row {number} of {path}", ", ".join(fields.values())):
        found = {name: _value(row, field) for name, field in fields.items()}
      rationale, answer = found.get("rationale", ""), found.get("answer", "")
      apart = "answer" in fields and "completion" not in fields
      yield Answer(
        split="",
        input=found["input"].strip(),
        label=found.get("label", ""),
        text=found.get("completion", f"{rationale} So the answer is {answer}."),
        read=(rationale, answer) if apart else None,
        finish_reason=found.get("finish_reason", ""),
        teacher=found.get("teacher", ""),
        id=found.get("id", ""),
      )


def _files(place: pathlib.Path) -> list[pathlib.Path]:
  """Returns a folder's JSON files, at any depth, or the one file."""
  return [place] if place.is_file() else sorted(place.rglob("*.json*"))


def _value(row: Mapping[str, Any], field: str) -> str:
  if "{" not in field:
    return str(row[field])
  return re.sub(r"\{([^{}]*)\}", lambda hole: str(row[hole[1]]), field)


@contextlib.contextmanager
def _format(where: object, expected: str) -> Iterator[None]:
  """Says an error of a file's shape as a UserError that names the file."""
  try:
    yield
  except (KeyError, TypeError, AttributeError, ValueError) as error:
    raise UserError(
      f"{where} is not of this format.",
      expected=expected,
      found=f"{type(error).__name__}: {error}",
      remedy="correct --format or --field",
    ) from error


Answers = Iterator[Answer]
FORMATS: dict[str, Callable[[pathlib.Path, Mapping[str, str]], Answers]] = {
  "dss": read_dss,
  "fine_tune_cot": read_fine_tune_cot,
  "scotd": read_scotd,
  "jsonl": read_rows,
}
