"""The manifest beside the shards: where a cache came from.

It is written last, so that a split without an entry is not finished, whatever
files lie there.
"""

import dataclasses
import json
import os
from dataclasses import dataclass

import tensorflow as tf

from distill.data.cache import records
from distill.errors import UserError

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
  """What one teacher, asked in one way, gave and took for a split.

  Attributes:
    teacher: The teacher's name, with whatever changes its answers.
    prompt: Name of the prompt style or template.
    prompt_sha256: SHA-256 of its files.
    sampling: Samples an example, temperature and so on.
    answers: Completions.
    parsed: Completions of which an answer could be read.
    agreeing: Completions whose answer is the gold label.
    requests: Requests that these took, identical ones counted once.
    prompt_tokens: What the teacher read, in its own tokens.
    completion_tokens: What the teacher wrote, in its own tokens.
    cost: US dollars, None where the price is not known.
    price: Where the price is from, and of which day.
    not_sent: Parameters that the server does not take, joined by commas: they
      are in `sampling` and were left out.
  """

  teacher: str
  prompt: str
  prompt_sha256: str
  sampling: str
  answers: int
  parsed: int
  agreeing: int
  requests: int
  prompt_tokens: int
  completion_tokens: int
  cost: float | None
  price: str
  not_sent: str = ""


@dataclass(frozen=True)
class SplitEntry:
  """One cached split.

  Attributes:
    teacher: The teacher's name, with whatever changes its answers.
    prompt: Name of the prompt template.
    prompt_sha256: SHA-256 of the template's file.
    sampling: Samples an example, temperature and so on.
    data_sha256: SHA-256 of the examples asked about (ids, inputs, labels).
    examples: Number of records.
    labeled: Records with a gold label.
    answers: Completions, over all records.
    parsed: Completions of which an answer could be read.
    agreeing: Completions whose answer is the gold label.
    prompt_tokens: What the teacher read, in its own tokens.
    completion_tokens: What the teacher wrote, in its own tokens.
    flags: What the command was told about teacher, prompt and shards.
    record_bytes: Size of the serialised records, without TFRecord's framing.
    shards: The files, in order.
    failed: Samples that were asked for and have no answer.
    ledger: A row for each teacher and way of asking, in their order; the
      fields above have the first one's names and the sums.
    command: Which of our commands wrote it.
    source: The cache or the files that it was made from, where it was.
    modules: The Python modules that register the family, but for `tasks`.
  """

  teacher: str
  prompt: str
  prompt_sha256: str
  data_sha256: str
  examples: int
  labeled: int
  answers: int
  parsed: int
  agreeing: int
  prompt_tokens: int
  completion_tokens: int
  flags: str
  record_bytes: int
  shards: tuple[Shard, ...]
  sampling: str = ""
  failed: int = 0
  ledger: tuple[LedgerRow, ...] = ()
  command: str = "cache_rationales"
  source: str = ""
  modules: tuple[str, ...] = ()


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
      splits = {k: _entry(v) for k, v in content["splits"].items()}
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


def _entry(fields: dict) -> SplitEntry:
  shards = tuple(Shard(**shard) for shard in fields["shards"])
  ledger = tuple(LedgerRow(**row) for row in fields["ledger"])
  modules = fields.get("modules", [])
  if not (isinstance(modules, list) and all(type(m) is str for m in modules)):
    raise TypeError("'modules' is no list of names")
  made = {"shards": shards, "ledger": ledger, "modules": tuple(modules)}
  return SplitEntry(**fields | made)


def write(directory: str, manifest: Manifest) -> None:
  """Writes the manifest, so that a reader sees the old or the new one."""
  path = os.path.join(directory, FILE_NAME)
  draft = os.path.join(directory, INCOMPLETE + FILE_NAME)
  text = json.dumps(dataclasses.asdict(manifest), indent=2, ensure_ascii=False)
  with tf.io.gfile.GFile(draft, "w") as file:
    file.write(text + "\n")
  tf.io.gfile.rename(draft, path, overwrite=True)
