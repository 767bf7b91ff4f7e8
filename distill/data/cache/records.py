"""The cache's schema: THE definition of what one cached example holds.

TensorFlow and pyarrow are imported when they are used.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from distill.data.examples import Example
from distill.errors import UserError

if TYPE_CHECKING:
  import tensorflow_datasets as tfds

# Raised whenever the fields below change their names or meanings.
SCHEMA_VERSION = 2

# Agreement of a teacher's answer with the gold label.
AGREES, DISAGREES, NO_GOLD = 1, 0, -1
# What a second teacher says of a rationale: whether it supports its answer.
SUPPORTED, UNSUPPORTED, NOT_JUDGED = 1, 0, -1


@dataclass(frozen=True)
class Record:
  """One example and the teacher's answers to it, as aligned tuples.

  Attributes:
    id: The example's id within its split.
    input: The question, without prompt or prefix.
    label: The gold label, '' when unlabeled.
    rationales: One for each answer, '' where it could not be parsed.
    teacher_labels: One for each answer, '' where it could not be parsed.
    agrees: One for each answer: 1, 0, or -1 without a gold label.
    finish_reasons: Why each completion ended ('stop', 'length', …).
    teachers: Who gave each answer, by name.
    hinted: One for each answer: 1 where the prompt showed the gold label.
    verdicts: One for each answer: 1 where another teacher found that the
      rationale supports it, 0 where not, -1 where none was asked.
    logprobs: The natural log-probability of each whole completion, or empty
      where the teacher gives none.
    completions: The raw text of each answer, or empty where it was not kept.
  """

  id: str
  input: str
  label: str
  rationales: tuple[str, ...]
  teacher_labels: tuple[str, ...]
  agrees: tuple[int, ...]
  finish_reasons: tuple[str, ...]
  teachers: tuple[str, ...]
  hinted: tuple[int, ...]
  verdicts: tuple[int, ...]
  logprobs: tuple[float, ...] = ()
  completions: tuple[str, ...] = ()

  def __post_init__(self) -> None:
    answers = len(self.rationales)
    for name, value in vars(self).items():
      if isinstance(value, tuple) and len(value) != answers:
        if value or name not in ("logprobs", "completions"):
          raise ValueError(f"record {self.id}: answers are not aligned: {self}")

  @classmethod
  def of(cls, example: Example, **answers: Iterable[Any]) -> Self:
    """Returns an example's record; `answers` are the fields of its answers."""
    several = {name: tuple(values) for name, values in answers.items()}
    return cls(example.id, example.input, example.label, **several)

  @classmethod
  def from_dict(cls, fields: Mapping[str, Any]) -> Self:
    """Returns the record of one decoded example (`tfds.as_numpy`)."""
    return cls(**{key: _plain(value) for key, value in fields.items()})

  def with_answers(self, more: Self) -> Self:
    """Returns the record with the answers of another appended to its own."""
    both: dict[str, Any] = {}
    for field in dataclasses.fields(more):
      first, second = getattr(self, field.name), getattr(more, field.name)
      if isinstance(second, tuple):
        # Log-probabilities and raw texts: of all answers, or of none.
        both[field.name] = first + second if first and second else ()
    return dataclasses.replace(more, **both)

  def to_dict(self) -> dict[str, Any]:
    """Returns the fields in the form that `features` encodes."""
    return dataclasses.asdict(self)


def _plain(value: Any) -> Any:
  """Returns bytes as text, arrays as tuples of Python numbers and text."""
  if isinstance(value, bytes):
    return value.decode("utf-8")
  if isinstance(value, np.ndarray):
    return tuple(_plain(item) for item in value.tolist())
  return value


@functools.cache
def _columns() -> dict[str, tuple[type, bool]]:
  """Returns the type of each field's values, and whether it has several."""
  found = {}
  for name, kind in typing.get_type_hints(Record).items():
    several = typing.get_args(kind)
    found[name] = (several[0] if several else kind, bool(several))
  return found


def features() -> tfds.features.FeaturesDict:
  """Returns the schema in TFDS's terms."""
  import tensorflow_datasets as tfds

  kinds = {str: tfds.features.Text(), int: np.int32, float: np.float32}
  schema: dict[str, Any] = {}
  for name, (kind, several) in _columns().items():
    feature = kinds[kind]
    schema[name] = tfds.features.Sequence(feature) if several else feature
  return tfds.features.FeaturesDict(schema)


def serialise(
  record: Record, schema: tfds.features.FeaturesDict | None = None
) -> bytes:
  """Returns a record as a `tf.train.Example`, the same bytes in every run."""
  import tensorflow as tf

  content = (schema or features()).serialize_example(record.to_dict())
  # TFDS leaves the order of the fields to a hash that differs by process.
  example = tf.train.Example.FromString(content)
  return example.SerializeToString(deterministic=True)


# Where a `tf.train.Example` has the values of a field.
_LISTS = {str: "bytes_list", int: "int64_list", float: "float_list"}


def deserialise(content: bytes) -> Record:
  """Returns the record of what `serialise` returned."""
  import tensorflow as tf

  found = tf.train.Example.FromString(content).features.feature
  fields: dict[str, Any] = {}
  for name, (kind, several) in _columns().items():
    values = getattr(found[name], _LISTS[kind]).value
    if kind is str:
      values = [value.decode("utf-8") for value in values]
    fields[name] = tuple(values) if several else values[0]
  return Record(**fields)


def heading(content: bytes) -> tuple[str, str, int]:
  """Returns the id, the input and the number of answers, and reads no more."""
  import tensorflow as tf

  found = tf.train.Example.FromString(content).features.feature
  name, text = (
    found[field].bytes_list.value[0].decode("utf-8")
    for field in ("id", "input")
  )
  return name, text, len(found["agrees"].int64_list.value)


def data_sha256(rows: Iterable[Example | Record]) -> str:
  """Returns the SHA-256, in hex, of examples or records in their order."""
  digest = hashlib.sha256()
  for row in rows:
    line = json.dumps([row.id, row.input, row.label])
    digest.update(line.encode("ascii") + b"\n")
  return digest.hexdigest()


def write_parquet(path: str, rows: Sequence[Record]) -> None:
  """Writes records as a Parquet file, a column for each field.

  Raises:
    UserError: pyarrow is not installed.
    OSError: The file cannot be written.
  """
  try:
    import pyarrow
    import pyarrow.parquet
  except ImportError as error:
    raise UserError(
      "Parquet files need pyarrow, which is not installed.",
      remedy="run `pip install distill-jax[hf]`",
    ) from error
  kinds = {
    str: pyarrow.string(),
    int: pyarrow.int32(),
    float: pyarrow.float32(),
  }
  schema = [
    (name, pyarrow.list_(kinds[kind]) if several else kinds[kind])
    for name, (kind, several) in _columns().items()
  ]
  table = pyarrow.Table.from_pylist(
    [row.to_dict() for row in rows], pyarrow.schema(schema)
  )
  pyarrow.parquet.write_table(table, path)
