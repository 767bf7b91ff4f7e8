"""`distill cache import`: others' published rationales, as a cache."""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import console, errors, quick_checks
from distill.data import lookup
from distill.flags import Parser
from distill.teacher.parse_rate import ParseRate

if TYPE_CHECKING:
  from distill.data.cache import records

_FORMATS = ("dss", "fine_tune_cot", "scotd", "jsonl")
_FIELDS = (
  *("input", "label", "completion", "rationale", "answer"),
  *("id", "finish_reason", "teacher"),
)


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = Parser(
    "distill cache import",
    description="Writes published rationales to the cache of a dataset family,"
    " in the same form as `distill cache ask` (docs/cache.md).",
  )
  add = parser.add_argument
  add("--format", required=True, choices=_FORMATS)
  add("--input_dir", required=True, help="a folder of files, or one file")
  add("--task", required=True, help="a registered family, e.g. cqa")
  add("--output_dir", help="default: $DISTILL_DATA_DIR/<task>")
  add("--split", default="train", help="split, if the files do not name it")
  add(
    "--parser",
    help="a published system's rules, e.g. dss_cqa; default: the family's",
  )
  add("--teacher", default="", help="name; default: from the files")
  add("--split_file", help="fine_tune_cot: JSON of sample indices by split")
  add(
    "--field",
    action="append",
    default=[],
    metavar="OURS=THEIRS",
    help="jsonl: input, label, completion, rationale, answer, id,"
    " finish_reason or teacher, from a key or 'a {key} in text'",
  )
  add("--num_shards", type=int, help="default: one per 1,000 examples")
  add("--module", action="append", default=[], help="module of your family")
  add("--overwrite", action="store_true", help="replace splits that differ")
  add(
    "--allow_unread",
    action="store_true",
    help="write the cache even if under a tenth of the first answers can be"
    " read; they should end in 'So the answer is X.', or be as --parser reads",
  )
  return parser.parse(argv)


def main(argv: Sequence[str]) -> None:
  """Writes the cache of every split that the files have, and says what."""
  flags = parse_arguments(argv)
  fields = _fields(flags)
  directory = flags.output_dir or os.path.join(lookup.cache_root(), flags.task)
  lookup.check_family(flags.task, flags.module, directory)
  quick_checks.check_folder(directory, "--output_dir")
  folder = pathlib.Path(flags.input_dir)
  if not folder.exists():
    raise errors.UserError(
      f"There is nothing at '{folder}'.",
      expected="--input_dir: a folder with the files to import, or a file",
      remedy="correct --input_dir",
    )
  console.import_tensorflow()
  from distill.answers.upstream import find_parser
  from distill.data import importing, published_rationales, registration
  from distill.data.cache import files

  family, flags.module = registration.find_cached_family(
    flags.task, flags.module, directory, flags.split
  )
  parser = find_parser(flags.parser) if flags.parser else None
  read = published_rationales.FORMATS[flags.format]
  found = importing.group(read(folder, fields), family.dataset, flags.split)
  absent = importing.absent_splits(family.dataset)
  if absent:
    print(
      f"Questions of these splits of {flags.task} cannot be recognised, since"
      f" its data is not on this machine: {', '.join(absent)}.",
      file=sys.stderr,
    )
  if not found:
    raise errors.UserError(
      f"{folder} has no rationales of the format '{flags.format}'.",
      expected="the files that docs/cache.md names",
      found=", ".join(sorted(p.name for p in folder.glob("*"))[:6]) or "none",
    )
  source = f"{folder} (sha256 {importing.files_sha256(folder)})"
  for split, groups in found.items():
    content = [
      importing.to_record(e, some, family.answer_rule, parser, flags.teacher)
      for e, some in groups
    ]
    _check_read(content, flags)
    entry = files.write_records(
      directory,
      flags.task,
      split,
      content,
      command="import_rationales",
      source=source,
      flags=_said(flags),
      overwrite=flags.overwrite,
      num_shards=flags.num_shards,
      modules=flags.module,
    )
    print(f"{directory}: {split}, by {entry.teacher}")
    print(f"  examples    {entry.examples:,} in {len(entry.shards)} shards")
    print(f"  parsed      {_share(entry.parsed, entry.answers)}")
    print(f"  agreement   {_share(entry.agreeing, entry.answers)}")


def _check_read(
  content: Sequence[records.Record], flags: argparse.Namespace
) -> None:
  """Raises UserError if hardly any answer could be read."""
  form = 'a rationale, then "So the answer is X."'
  unread = ParseRate(
    f"what --parser={flags.parser} reads" if flags.parser else form,
    "give the --parser or the --field that fits the files; --allow_unread"
    " imports them all the same",
    flags.allow_unread,
  )
  for record in content:
    for answer in zip(
      record.completions,
      record.teacher_labels,
      record.finish_reasons,
      strict=True,
    ):
      unread.add(*answer)
  unread.check()


def _fields(flags: argparse.Namespace) -> dict[str, str]:
  """Returns the field map, and what else a format wants to know."""
  fields = {}
  for item in flags.field:
    ours, found, theirs = item.partition("=")
    if ours not in _FIELDS or not found:
      raise errors.UserError(
        f"--field={item} maps none of our fields.",
        expected="OURS=THEIRS, with OURS one of " + ", ".join(_FIELDS),
      )
    fields[ours] = theirs
  answered = "completion" in fields or "answer" in fields
  if flags.format == "jsonl" and not ("input" in fields and answered):
    raise errors.UserError(
      "Nothing says which fields of the rows are what.",
      expected="--field=input=… and --field=completion=… (or rationale and"
      " answer)",
      found=" ".join(flags.field) or "no --field",
    )
  return {**fields, "split_file": flags.split_file or ""}


def _said(flags: argparse.Namespace) -> str:
  """Returns, for a message, the flags that decide what a split holds."""
  said = [f"--format={flags.format}", f"--input_dir={flags.input_dir}"]
  for name in ("parser", "teacher", "split_file", "num_shards"):
    if getattr(flags, name):
      said.append(f"--{name}={getattr(flags, name)}")
  said += [f"--field={item}" for item in flags.field]
  return shlex.join(said + [f"--module={name}" for name in flags.module])


def _share(part: int, whole: int) -> str:
  return f"{part:,} of {whole:,} ({100 * part / max(1, whole):.2f}%)"
