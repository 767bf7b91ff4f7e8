"""`distill cache import`: others' published rationales, as a cache."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import errors, flags, quick_checks
from distill.answers.upstream import find_parser
from distill.commands import cache_flags
from distill.commands.cache_flags import share
from distill.flags import Parser
from distill.teacher.parse_rate import ParseRate

if TYPE_CHECKING:
  from distill.data.cache import records
  from distill.data.cache.manifest import SplitEntry

_FORMATS = ("dss", "fine_tune_cot", "scotd", "jsonl")
_FIELDS = (
  *("input", "label", "completion", "rationale", "answer"),
  *("id", "finish_reason", "teacher"),
)
# The flags that decide what a split holds, in the order of messages.
_CONTENT = (
  *("format", "input_dir", "parser", "teacher", "split_file", "num_shards"),
  *("field", "module"),
)


def make_parser() -> Parser:
  """Returns the parser of the flags."""
  parser = Parser(
    "distill cache import",
    description="Writes published rationales to the cache of a dataset family,"
    " in the same form as `distill cache ask` (docs/cache.md).",
  )
  cache_flags.add_shared(parser, "output_dir", "num_shards", "overwrite")
  add = parser.add_argument
  add("--format", required=True, choices=_FORMATS)
  add("--input_dir", required=True, help="a folder of files, or one file")
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
  add(
    "--allow_unread",
    action="store_true",
    help="write the cache even if under a tenth of the first answers can be"
    " read; they should end in 'So the answer is X.', or be as --parser reads",
  )
  return parser


def main(argv: Sequence[str]) -> None:
  """Writes the cache of every split that the files have, and says what."""
  parser = make_parser()
  options = parser.parse(argv)
  fields = _fields(options)
  directory = cache_flags.folder(options, options.output_dir)
  quick_checks.check_folder(directory, "--output_dir")
  folder = pathlib.Path(options.input_dir)
  place = "a folder with the files to import, or a file"
  errors.require("--input_dir", str(folder), folder.exists(), place)
  family = cache_flags.find_family(options, directory)
  from distill.data import examples, importing, published_rationales
  from distill.data.cache import files

  rules = find_parser(options.parser) if options.parser else None
  read = published_rationales.FORMATS[options.format]
  found = importing.group(read(folder, fields), family.dataset, options.split)
  absent = examples.absent_splits(family.dataset)
  if absent:
    print(
      f"Questions of these splits of {options.task} cannot be recognised, since"
      f" its data is not on this machine: {', '.join(absent)}.",
      file=sys.stderr,
    )
  if not found:
    raise errors.UserError(
      f"{folder} has no rationales of the format '{options.format}'.",
      expected="the files that docs/cache.md names",
      found=", ".join(sorted(p.name for p in folder.glob("*"))[:6]) or "none",
    )
  source = f"{folder} (sha256 {importing.files_sha256(folder)})"
  for split, groups in found.items():
    content = [
      importing.to_record(e, some, family.answer_rule, rules, options.teacher)
      for e, some in groups
    ]
    _check_read(content, options)
    entry = files.write_records(
      directory,
      options.task,
      split,
      content,
      command="import_rationales",
      source=source,
      flags=flags.changed(parser, options, _CONTENT),
      overwrite=options.overwrite,
      num_shards=options.num_shards,
      modules=options.module,
    )
    _print_entry(f"{directory}: {split}", entry)


def _print_entry(title: str, entry: SplitEntry) -> None:
  """Prints what a split holds."""
  print(f"{title}, by {entry.teacher}")
  print(f"  examples    {entry.examples:,} in {len(entry.shards)} shards")
  print(f"  parsed      {share(entry.parsed, entry.answers)}")
  print(f"  agreement   {share(entry.agreeing, entry.answers)}")


def _check_read(
  content: Sequence[records.Record], options: argparse.Namespace
) -> None:
  """Raises UserError if hardly any answer could be read."""
  form = 'a rationale, then "So the answer is X."'
  unread = ParseRate(
    f"what --parser={options.parser} reads" if options.parser else form,
    "give the --parser or the --field that fits the files; --allow_unread"
    " imports them all the same",
    options.allow_unread,
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


def _fields(options: argparse.Namespace) -> dict[str, str]:
  """Returns the field map, and what else a format wants to know."""
  fields = {}
  for item in options.field:
    ours, found, theirs = item.partition("=")
    if ours not in _FIELDS or not found:
      raise errors.UserError(
        f"--field={item} maps none of our fields.",
        expected="OURS=THEIRS, with OURS one of " + ", ".join(_FIELDS),
      )
    fields[ours] = theirs
  answered = "completion" in fields or "answer" in fields
  if options.format == "jsonl" and not ("input" in fields and answered):
    raise errors.UserError(
      "Nothing says which fields of the rows are what.",
      expected="--field=input=… and --field=completion=… (or rationale and"
      " answer)",
      found=" ".join(options.field) or "no --field",
    )
  return {**fields, "split_file": options.split_file or ""}
