"""`distill cache filter`: the answers of a cache that are fit to learn."""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import errors, flags, quick_checks
from distill.commands import cache_flags
from distill.data import selection
from distill.data.cache import records
from distill.data.selection import Filters
from distill.flags import Parser

if TYPE_CHECKING:
  from distill.data.cache.manifest import SplitEntry

# Between the names of teachers, which may have commas within brackets.
_COMMA = re.compile(r",(?![^(]*\))")


def make_parser() -> Parser:
  """Returns the parser of the flags."""
  parser = Parser(
    "distill cache filter",
    description="Copies the cached rationales that pass all given filters to a"
    " new cache, or to a JSON lines or Parquet file. Sends no request.",
  )
  cache_flags.add_shared(parser, "num_shards", "overwrite")
  add = parser.add_argument
  add("--input_dir", required=True, help="the cache to read")
  add("--output_dir", help="the cache to write")
  add("--output_jsonl", help="a JSON lines file to write instead of a cache")
  add("--output_parquet", help="a Parquet file to write instead of a cache")
  flags.add_fields(add, Filters, {"teachers": ""})
  add(
    "--teachers",
    type=lambda text: tuple(filter(None, _COMMA.split(text))),
    default=(),
    help="keep answers of these teachers, A,B",
  )
  add(
    "--review",
    type=pathlib.Path,
    help="drop answers that this file marks bad; the page of `distill report`"
    " exports it",
  )
  add(
    "--only_reviewed",
    action="store_true",
    help="keep only answers that --review marks good",
  )
  add(
    "--expand",
    action="store_true",
    help="write one record per answer, so that training uses all answers",
  )
  return parser


def main(argv: Sequence[str]) -> None:
  """Writes what passes, and says how much each filter took."""
  parser = make_parser()
  options = parser.parse(argv)
  outputs = (options.output_dir, options.output_jsonl, options.output_parquet)
  if len(outputs) - outputs.count(None) != 1:
    raise errors.UserError(
      "There is no one place to write to.",
      expected="one of --output_dir, --output_jsonl and --output_parquet",
    )
  quick_checks.check_cache(options.input_dir)
  if options.output_dir:
    quick_checks.check_folder(options.output_dir, "--output_dir")
  wanted = flags.from_flags(options, Filters)
  family = cache_flags.find_family(options, options.input_dir)
  from distill.data.cache import files

  source = files.find_entry(options.input_dir, options.task, options.split)
  steps = [*_review_steps(options), *wanted.steps(family.answer_rule)]
  rows = files.read(options.input_dir, options.task, options.split)
  content, taken = selection.choose(rows, steps, options.expand)
  if not content:
    raise errors.UserError(
      f"No answer in {options.input_dir} passes all filters.",
      found=", ".join(f"{name} took {taken[name]:,}" for name, _ in steps),
      remedy="leave one of them out",
    )
  if options.output_jsonl or options.output_parquet:
    _write_file(options, content)
  else:
    names = ("input_dir", *flags.names(Filters), "review", "only_reviewed")
    shards = ",".join(shard.sha256 for shard in source.shards)
    files.write_records(
      options.output_dir,
      options.task,
      options.split,
      content,
      command="filter_rationales",
      source=f"{options.input_dir}, of {source.command} (sha256 {shards})"
      + _review_source(options.review),
      flags=flags.changed(
        parser, options, [*names, "expand", "num_shards", "module"]
      ),
      overwrite=options.overwrite,
      num_shards=options.num_shards,
      origin=source,
      modules=options.module,
    )
  [place] = filter(None, outputs)
  print(f"{place}: {options.split}")
  _print_counts(content, source, {name: taken[name] for name, _ in steps})


def _review_steps(
  options: argparse.Namespace,
) -> list[tuple[str, selection.Keep]]:
  """Returns the filter by a reader's marks, if there is one."""
  from distill.data import review

  if options.review is None:
    if options.only_reviewed:
      raise errors.UserError(
        "--only_reviewed has no marks.", expected="--review=FILE beside it"
      )
    return []
  marks = review.read_marks(options.review, options.task, options.split)
  return [("review", review.filter_by(marks, options.only_reviewed))]


def _review_source(review: pathlib.Path | None) -> str:
  """Returns what the manifest says of the marks: other marks, other cache."""
  if review is None:
    return ""
  return f", marks of sha256 {hashlib.sha256(review.read_bytes()).hexdigest()}"


def _print_counts(
  content: Sequence[records.Record], source: SplitEntry, taken: dict[str, int]
) -> None:
  """Prints what is left of a split, and how much each filter took."""
  answers = sum(len(row.rationales) for row in content)
  print(f"  records     {len(content):,} of {source.examples:,}")
  print(f"  answers     {answers:,} of {source.answers:,}")
  for name, count in taken.items():
    print(f"  {name:<12}took {count:,}")
  unlabeled = source.examples - source.labeled
  if "agrees" in taken and unlabeled:
    print(
      f"  {unlabeled:,} of the records have no gold label, so that none of"
      " their answers agrees with it"
    )


def _write_file(
  options: argparse.Namespace, content: Sequence[records.Record]
) -> None:
  path = options.output_jsonl or options.output_parquet
  try:
    if options.output_parquet:
      records.write_parquet(path, content)
      return
    with open(path, "w", encoding="utf-8") as file:
      for row in content:
        file.write(json.dumps(row.to_dict(), ensure_ascii=False) + "\n")
  except OSError as error:
    raise errors.UserError(
      f"{path} cannot be written.", found=str(error)
    ) from error
