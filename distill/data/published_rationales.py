"""Rationale files that others published, read as answers to inputs.

Four formats: the folder of Distilling Step-by-Step, the completion files of
Fine-tune-CoT, SCoTD's pools, and plain rows with a field map.
"""

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.answers import finish_reasons
from distill.answers.completions import parse_completion
from distill.answers.rules import TextAnswer
from distill.data import raw_files
from distill.data.examples import pair_of, shown, text_of, with_ids
from distill.data.published.forms import read, reason, released
from distill.errors import UserError

_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_TEACHERS = ("palm", "llm", "gpt-neox")
_SENTENCE_END = re.compile(r"[.!?][\s\"'”’)*]*$")
_HOLE = re.compile(r"\{([^{}]*)\}")
# Of our fields those that hold for all answers of a row.
_ONE_A_ROW = ("input", "label", "id")


@dataclass(frozen=True)
class PublishedAnswer:
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
    UserError: Rows and completions do not pair up, or are malformed.
  """
  del options
  for name, split in _SPLITS.items():
    for path in raw_files.data_files(folder, f"*_{name}.json"):
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
        ends = ends_of(texts)
        for row, text, end in zip(rows, texts, ends, strict=False):
          yield PublishedAnswer(
            split, row.input, row.label, text, end, teacher, row.id
          )


def _dss_texts(folder: pathlib.Path, split: str) -> list[str]:
  numbered = {}
  for path in raw_files.data_files(folder, f"{split}_CoT_*.json"):
    number = path.stem.rpartition("_")[2]
    # Others, such as 'train_CoT_0 (copy).json', are no part of the release.
    if number.isdecimal():
      numbered[int(number)] = path
  texts = []
  for _, path in sorted(numbered.items()):
    with _format(path, "a list of completions"):
      texts += [_text(text) for text in _list(raw_files.read_json(path))]
  return texts


def ends_of(texts: Sequence[str]) -> list[str]:
  """Returns why each completion of one teacher ended, '' where nothing says it.

  A text is whole if a blank line or the end of a sentence ends the answer. Only
  where most texts of the teacher are whole do the others count as cut short:
  all of them, if most go on after a blank line until a limit ends them, or else
  those that announce no answer.
  """
  whole = ["\n\n" in text or bool(_SENTENCE_END.search(text)) for text in texts]
  go_on = sum("\n\n" in text for text in texts) * 2 >= len(texts)
  if sum(whole) * 2 < len(texts):
    return [finish_reasons.STOP if is_whole else "" for is_whole in whole]
  ends = []
  for text, is_whole in zip(texts, whole, strict=True):
    cut = finish_reasons.LENGTH if go_on or not _announces(text) else ""
    ends.append(finish_reasons.STOP if is_whole else cut)
  return ends


def _announces(text: str) -> bool:
  return bool(parse_completion(text, TextAnswer()).answer)


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
    with _format(path, "lists of sample indices by the name of a split"):
      for split, indices in raw_files.read_json(path).items():
        places |= {str(index): split for index in _list(indices)}
  for path in raw_files.data_files(folder):
    content = raw_files.read_json(path)
    with _format(path, "'metadata' and 'data', of samples by their index"):
      teacher = str(content["metadata"].get("base_model", ""))
      samples_by_index = content["data"].items()
    for index, samples in samples_by_index:
      with _format(f"Sample {index} of {path}", "a question and a completion"):
        answers = [
          _fine_tune_cot_answer(sample, places.get(index, ""), teacher)
          for sample in _list(samples)
        ]
      yield from answers


def _fine_tune_cot_answer(
  sample: Mapping[str, Any], split: str, teacher: str
) -> PublishedAnswer:
  text = _text(sample["completion"])
  reasons = [_text(sample.get("finish_reason"))]
  if "reasoning_completion" in sample:
    reasoning = _text(sample["reasoning_completion"]).strip()
    text = f"{reasoning}\nTherefore, the answer is{text}"
    reasons.append(_text(sample.get("reasoning_finish_reason")))
  reason = finish_reasons.joined(reasons[::-1])
  label = _text(sample["answer"], null=False)
  question, label = pair_of((sample["question"], label))
  return PublishedAnswer(split, question.strip(), label, text, reason, teacher)


def read_scotd(folder: pathlib.Path, options: Mapping[str, str]) -> "Answers":
  """Yields pools, by 'model*dataset*run*more', of scored responses.

  Raises:
    UserError: A file is not of the format.
  """
  del options
  for path in raw_files.data_files(folder):
    pools = raw_files.read_json(path)
    with _format(path, "lists of prompt, response and score, by a pool's name"):
      rows_of = [(name, _list(rows)) for name, rows in pools.items()]
    for name, rows in rows_of:
      for number, row in enumerate(rows):
        where = f"Row {number} of pool '{name}' of {path}"
        with _format(where, "a prompt 'Q: …\\nA:', a response and a score"):
          asked = f"\n{_text(row['prompt'])}".rpartition("\nQ:")[2]
          question, _ = pair_of((asked.rpartition("\nA:")[0].strip(), ""))
          answer = PublishedAnswer(
            split="",
            input=question,
            label="",
            text=_text(row["response"]),
            finish_reason=finish_reasons.STOP,
            teacher=name.split("*")[0],
            right=row["score"] >= 0.5,
          )
        yield answer


def read_rows(folder: pathlib.Path, options: Mapping[str, str]) -> "Answers":
  """Yields rows of JSON lines and the like by a map from our fields.

  A field is a row's key, or a template of them: 'premise: {premise}'. With
  `rationale` and `answer` the completion need not be read. A list has a value
  for each of several answers; null in it, or for it, is an answer without text.

  Raises:
    UserError: A row lacks a field, or its value is no text.
  """
  fields = {name: value for name, value in options.items() if value}
  for path in raw_files.data_files(folder):
    for number, row in enumerate(raw_files.read_rows(path)):
      expected = f"{', '.join(fields.values())}, of texts or numbers"
      with _format(f"Row {number} of {path}", expected, row):
        answers = list(_row_answers(row, fields))
      yield from answers


def _row_answers(
  row: Mapping[str, Any], fields: Mapping[str, str]
) -> "Answers":
  """Yields a row's answers: one, or as many as its lists have."""
  keys = {n: _HOLE.findall(f) if "{" in f else [f] for n, f in fields.items()}
  found = {n: {k: _part(row, k, n) for k in some} for n, some in keys.items()}
  counts = {
    key: len(part)
    for parts in found.values()
    for key, part in parts.items()
    if isinstance(part, list)
  }
  if len(set(counts.values())) > 1:
    said = ", ".join(f"'{key}' has {count}" for key, count in counts.items())
    raise ValueError(f"lists of different lengths: {said}")

  def text(name: str, place: int) -> str:
    """Returns a field of the answer at a place, '' if it is not mapped."""
    parts = {
      key: part[place] if isinstance(part, list) else part
      for key, part in found.get(name, {}).items()
    }
    field = fields.get(name, "")
    if "{" in field:
      return _HOLE.sub(lambda hole: parts[hole[1]], field)
    return parts.get(field, "")

  input, label = pair_of(
    (text("input", 0), text("label", 0)),
    lambda name, part: f"{name} (field '{fields[name]}')",
  )
  for place in range(max(counts.values(), default=1)):
    rationale, answer = text("rationale", place), text("answer", place)
    said = f"{rationale} So the answer is {answer}."
    is_whole = "completion" in fields
    yield PublishedAnswer(
      split="",
      input=input,
      label=label,
      text=text("completion", place) if is_whole else said,
      read=(rationale, answer) if "answer" in fields and not is_whole else None,
      finish_reason=text("finish_reason", place),
      teacher=text("teacher", place),
      id=text("id", place),
    )


def _part(row: Mapping[str, Any], key: str, name: str) -> str | list[str]:
  """Returns the text of a row's key; raises ValueError if it is none."""
  value = row[key]
  try:
    if name in _ONE_A_ROW:
      # Nobody was asked without a question, but ids and the like may lack.
      return _text(value, null=name not in ("input", "label"))
    if isinstance(value, list):
      return [_text(item) for item in value]
    return _text(value)
  except ValueError as error:
    raise ValueError(f"the field '{key}': {error}") from None


def _text(value: Any, null: bool = True) -> str:
  """Returns a text, or a number as text, '' for null if that may be."""
  return "" if value is None and null else text_of(value, decimals=True)


def _list(value: Any) -> list[Any]:
  if not isinstance(value, list):
    raise ValueError(f"{shown(value)} is no list")
  return value


@contextlib.contextmanager
def _format(where: object, expected: str, row: Any = None) -> Iterator[None]:
  """Says an error of a file's shape as a UserError that names the file."""
  try:
    yield
  except (KeyError, TypeError, AttributeError, ValueError) as error:
    raise UserError(
      f"{where} is not of this format.",
      expected=expected,
      found=reason(error, row),
      remedy="correct --format or --field, or the file",
    ) from error


Answers = Iterator[PublishedAnswer]
FORMATS: dict[str, Callable[[pathlib.Path, Mapping[str, str]], Answers]] = {
  "dss": read_dss,
  "fine_tune_cot": read_fine_tune_cot,
  "scotd": read_scotd,
  "jsonl": read_rows,
}
