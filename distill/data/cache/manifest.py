"""The manifest beside the shards: where a cache came from.

It is written last, so that a split without an entry is not finished, whatever
files lie there.
"""

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import tensorflow as tf

from distill.data.cache import records
from distill.errors import UserError, write_whole

FILE_NAME = "manifest.json"
# What is being written has this in front of its name until it is complete.
INCOMPLETE = "incomplete."
# The report on a split, as it is now; `commit` removes that of another.
HYGIENE = "hygiene-{split}.json"


@dataclass(frozen=True)
class Shard:
  """One TFRecord file: its name, what it holds, and its SHA-256 in hex."""

  file: str
  examples: int
  bytes: int
  sha256: str


@dataclass(frozen=True)
class LedgerRow:
  """The counts, tokens and cost of one teacher, asked in one way, in a split.

  Attributes:
    teacher: The teacher's name, with whatever changes its answers.
    prompt: Name of the prompt style or template.
    prompt_sha256: SHA-256 of its files.
    sampling: Samples an example, temperature and so on.
    answers: Completions.
    parsed: Completions of which an answer could be read.
    agreeing: Completions whose answer is the gold label.
    requests: The number of requests, identical ones counted once; None where
      no teacher was asked here. Such a row is not in the file's ledger.
    prompt_tokens: Tokens that the teacher read, by its own tokenizer.
    completion_tokens: Tokens that the teacher wrote, by its own tokenizer.
    cost: US dollars, None where the price is not known.
    price: Where the price is from, and of which day.
    not_sent: Parameters that the server does not take, joined by commas: they
      are in `sampling` and were left out.
  """

  teacher: str
  prompt: str
  prompt_sha256: str
  sampling: str
  answers: int = 0
  parsed: int = 0
  agreeing: int = 0
  requests: int | None = None
  prompt_tokens: int = 0
  completion_tokens: int = 0
  cost: float | None = None
  price: str = ""
  not_sent: str = ""

  def origin(self) -> dict[str, str]:
    """Returns who was asked, and how."""
    return {name: getattr(self, name) for name in ORIGIN}

  @classmethod
  def unasked(
    cls, content: Sequence[records.Record], origin: "SplitEntry | None"
  ) -> Self:
    """Returns the row of records for which no teacher was asked here.

    Args:
      content: The records.
      origin: The split that they were chosen from, None for an import.
    """
    names = dict.fromkeys(name for row in content for name in row.teachers)
    first: dict[str, Any] = dict.fromkeys(ORIGIN, "")
    first["teacher"] = ", ".join(names)
    if origin is not None:
      first = origin.ledger[0].origin()
    counts: Counter[str] = Counter()
    for row in content:
      counts.update(counts_of(row))
    return cls(**first | counts)


def counts_of(record: records.Record) -> dict[str, int]:
  """Returns what a record adds to the counts of a ledger's row."""
  return {
    "answers": len(record.teacher_labels),
    "parsed": sum(map(bool, record.teacher_labels)),
    "agreeing": record.agrees.count(records.AGREES),
  }


# Fields of a ledger's first row, and sums over its rows, as the file has them.
ORIGIN = ("teacher", "prompt", "prompt_sha256", "sampling")
_SUMS = ("answers", "parsed", "agreeing", "prompt_tokens", "completion_tokens")


def _sum_of(name: str) -> Any:
  return property(lambda entry: sum(getattr(row, name) for row in entry.ledger))


@dataclass(frozen=True)
class SplitEntry:
  """One cached split.

  Attributes:
    data_sha256: SHA-256 of the examples asked about (ids, inputs, labels).
    examples: Number of records.
    labeled: Records with a gold label.
    flags: The command's flags for teacher, prompt and shards.
    record_bytes: Size of the serialised records, without TFRecord's framing.
    shards: The files, in order.
    ledger: A row for each teacher and way of asking, in their order.
    failed: Samples that were asked for and have no answer.
    command: Which of our commands wrote it.
    source: The cache or the files that it was made from, where it was.
    modules: The modules that register the family, except `tasks`.
  """

  data_sha256: str
  examples: int
  labeled: int
  flags: str
  record_bytes: int
  shards: tuple[Shard, ...]
  ledger: tuple[LedgerRow, ...]
  failed: int = 0
  command: str = "cache_rationales"
  source: str = ""
  modules: tuple[str, ...] = ()

  @property
  def teacher(self) -> str:
    """The first teacher's name."""
    return self.ledger[0].teacher

  @property
  def prompt(self) -> str:
    """The name of the first teacher's prompt."""
    return self.ledger[0].prompt

  # Sums over the rows of the ledger.
  answers = _sum_of("answers")
  parsed = _sum_of("parsed")
  agreeing = _sum_of("agreeing")
  prompt_tokens = _sum_of("prompt_tokens")
  completion_tokens = _sum_of("completion_tokens")

  def origin(self) -> dict[str, str]:
    """Returns who was asked first, how, about which data, and the shards."""
    shards = str(len(self.shards))
    data = {"data_sha256": self.data_sha256, "num_shards": shards}
    return self.ledger[0].origin() | data

  def holds(self, origin: Mapping[str, str]) -> bool:
    """Returns whether the split has the answers of an origin already."""
    own = self.origin()
    return any({**own, **row.origin()} == origin for row in self.ledger)

  def after(self, earlier: Self) -> Self:
    """Returns the entry of this split's answers appended to an earlier one."""
    return dataclasses.replace(
      self,
      failed=earlier.failed + self.failed,
      flags=f"{earlier.flags} (and then --append {self.flags})",
      ledger=(*earlier.ledger, *self.ledger),
    )

  def to_dict(self) -> dict[str, Any]:
    """Returns the entry as the manifest's file has it."""
    fields = dataclasses.asdict(self)
    fields["ledger"] = [
      row for row in fields["ledger"] if row["requests"] is not None
    ]
    sums = {name: getattr(self, name) for name in _SUMS}
    return {**self.ledger[0].origin(), **sums, **fields}

  @classmethod
  def from_dict(cls, fields: Mapping[str, Any]) -> Self:
    """Returns the entry of a file.

    Raises:
      KeyError, TypeError: A field is absent, unknown or of another kind.
    """
    fields = {"sampling": "", "modules": [], **fields}
    modules = fields["modules"]
    if not (isinstance(modules, list) and all(type(m) is str for m in modules)):
      raise TypeError("'modules' is no list of names")
    ledger = [LedgerRow(**row) for row in fields.pop("ledger")]
    first = {name: fields.pop(name) for name in ORIGIN}
    sums = {
      name: fields.pop(name) - sum(getattr(row, name) for row in ledger)
      for name in _SUMS
    }
    # What no row of the file accounts for was not asked for here.
    if any(sums.values()) or not ledger:
      ledger.insert(0, LedgerRow(**first, **sums))
    shards = tuple(Shard(**shard) for shard in fields.pop("shards"))
    return cls(
      **{**fields, "modules": tuple(modules)},
      shards=shards,
      ledger=tuple(ledger),
    )


@dataclass(frozen=True)
class Manifest:
  """The manifest of one directory: a family's splits by name."""

  family: str
  splits: dict[str, SplitEntry]
  schema_version: int = records.SCHEMA_VERSION

  def with_split(self, name: str, entry: SplitEntry | None) -> "Manifest":
    """Returns a copy with the split's entry replaced, or None: left out."""
    splits = {k: v for k, v in self.splits.items() if k != name}
    if entry is not None:
      splits[name] = entry
    return dataclasses.replace(self, splits=dict(sorted(splits.items())))


# The names of commands in manifests, and on the console.
_COMMANDS = {
  "cache_rationales": "cache ask",
  "import_rationales": "cache import",
  "filter_rationales": "cache filter",
}


def build_command(
  directory: str, family: str, split: str, command: str = "cache_rationales"
) -> str:
  """Returns the command that caches a split into its directory."""
  return (
    f"distill {_COMMANDS.get(command, command)} --task={family} --split={split}"
    f" --output_dir={directory}"
  )


def rebuild(directory: str, family: str, split: str, entry: SplitEntry) -> str:
  """Returns the remedy that writes a damaged split again."""
  command = build_command(directory, family, split, entry.command)
  return f"run `{command} {entry.flags} --overwrite`"


def read(directory: str) -> Manifest | None:
  """Returns the directory's manifest, None where there is none.

  Raises:
    UserError: It is not a manifest of this schema version.
  """
  path = os.path.join(directory, FILE_NAME)
  if not tf.io.gfile.exists(path):
    return None
  try:
    with tf.io.gfile.GFile(path) as file:
      content = json.loads(file.read())
    found = content["schema_version"]
    if found == records.SCHEMA_VERSION:
      splits = {
        k: SplitEntry.from_dict(v) for k, v in content["splits"].items()
      }
      return Manifest(content["family"], splits, found)
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    found = f"{type(error).__name__}: {error}"
  raise UserError(
    f"{path} is not a manifest that can be read.",
    expected=f"one of schema version {records.SCHEMA_VERSION}",
    found=str(found),
    remedy=f"move {directory} away and cache its splits again with"
    " `distill cache ask`",
  )


def write(directory: str, manifest: Manifest) -> None:
  """Writes the manifest, so that a reader sees the old or the new one."""
  splits = {name: entry.to_dict() for name, entry in manifest.splits.items()}
  content = {**vars(manifest), "splits": splits}
  text = json.dumps(content, indent=2, ensure_ascii=False)
  write_whole(f"{directory}/{FILE_NAME}", text + "\n")
