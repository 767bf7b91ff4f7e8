"""`distill cache filter`: the answers of a cache that are fit to learn."""

import argparse
import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill import console, errors, quick_checks
from distill.data import lookup
from distill.flags import Parser

if TYPE_CHECKING:
  from distill.data.cache import records


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = Parser(
    "distill cache filter",
    description="Copies the cached rationales that pass all given filters to a"
    " new cache, or to a JSON lines file. Sends no request.",
  )
  add = parser.add_argument
  add("--task", required=True, help="a registered family, e.g. cqa")
  add("--split", default="train", help="default: %(default)s")
  add("--input_dir", required=True, help="the cache to read")
  add("--output_dir", help="the cache to write")
  add("--output_jsonl", help="a JSON lines file to write instead of a cache")
  add(
    "--agrees",
    action="store_true",
    help="keep answers that equal the gold label",
  )
  add(
    "--majority",
    action="store_true",
    help="keep the answer that most of an example's samples gave",
  )
  add(
    "--complete",
    action="store_true",
    help="keep answers that were not truncated and have a rationale",
  )
  add(
    "--verified",
    action="store_true",
    help="keep rationales that a second teacher found to support the answer",
  )
  add(
    "--unhinted",
    action="store_true",
    help="keep answers to prompts that did not show the gold label",
  )
  add("--min_words", type=int, default=0, help="minimum length")
  add("--max_words", type=int, help="maximum length")
  add("--teachers", help="keep answers of these teachers, A,B")
  add(
    "--deduplicate",
    action="store_true",
    help="keep the first of an example's near-duplicate rationales",
  )
  add("--pick", type=int, metavar="K", help="maximum answers per example")
  add(
    "--by",
    default="first",
    help="order of --pick: first, random, diversity, likelihood or teacher",
  )
  add("--seed", type=int, default=0, help="seed of --by=random")
  add(
    "--expand",
    action="store_true",
    help="write one record per answer, so that training uses all answers",
  )
  add("--num_shards", type=int, help="default: one per 1,000 examples")
  add("--module", action="append", default=[], help="module of your family")
  add("--overwrite", action="store_true", help="replace a split that differs")
  return parser.parse(argv)


def main(argv: Sequence[str]) -> None:
  """Writes what passes, and says how much each filter took."""
  flags = parse_arguments(argv)
  if (flags.output_dir is None) == (flags.output_jsonl is None):
    raise errors.UserError(
      "There is no one place to write to.",
      expected="either --output_dir or --output_jsonl",
    )
  lookup.check_family(flags.task, flags.module, flags.input_dir)
  quick_checks.check_cache(flags.input_dir)
  if flags.output_dir:
    quick_checks.check_folder(flags.output_dir, "--output_dir")
  console.import_tensorflow()
  from distill.data import registration, selection
  from distill.data.cache import files

  family, flags.module = registration.find_cached_family(
    flags.task, flags.module, flags.input_dir, flags.split
  )
  names = selection.Filters.__dataclass_fields__
  teachers = tuple(flags.teachers.split(",")) if flags.teachers else ()
  wanted = selection.Filters(
    **{name: getattr(flags, name) for name in names if name != "teachers"},
    teachers=teachers,
  )
  source = files.find_entry(flags.input_dir, flags.task, flags.split)
  steps = wanted.steps(family.answer_rule)
  rows = files.read(flags.input_dir, flags.task, flags.split)
  content, taken = selection.choose(rows, steps, flags.expand)
  if not content:
    raise errors.UserError(
      f"No answer in {flags.input_dir} passes all filters.",
      found=", ".join(f"{name} took {taken[name]:,}" for name, _ in steps),
      remedy="leave one of them out",
    )
  if flags.output_jsonl:
    _write_jsonl(flags.output_jsonl, content)
  else:
    shards = ",".join(shard.sha256 for shard in source.shards)
    files.write_records(
      flags.output_dir,
      flags.task,
      flags.split,
      content,
      command="filter_rationales",
      source=f"{flags.input_dir}, of {source.command} (sha256 {shards})",
      flags=_said(flags),
      overwrite=flags.overwrite,
      num_shards=flags.num_shards,
      origin=source,
      modules=flags.module,
    )
  answers = sum(len(row.rationales) for row in content)
  print(f"{flags.output_dir or flags.output_jsonl}: {flags.split}")
  print(f"  records     {len(content):,} of {source.examples:,}")
  print(f"  answers     {answers:,} of {source.answers:,}")
  for name, _ in steps:
    print(f"  {name:<12}took {taken[name]:,}")
  unlabeled = source.examples - source.labeled
  if flags.agrees and unlabeled:
    print(
      f"  {unlabeled:,} of the records have no gold label, so that none of"
      " their answers agrees with it"
    )


def _write_jsonl(path: str, content: Sequence["records.Record"]) -> None:
  try:
    with open(path, "w", encoding="utf-8") as file:
      for row in content:
        file.write(json.dumps(row.to_dict(), ensure_ascii=False) + "\n")
  except OSError as error:
    raise errors.UserError(
      f"{path} cannot be written.", found=str(error)
    ) from error


def _said(flags: argparse.Namespace) -> str:
  """Returns, for a message, the flags that decide what a split holds."""
  apart = ("task", "split", "output_dir", "output_jsonl", "overwrite", "module")
  said = []
  for name, value in vars(flags).items():
    default: Any = {"by": "first"}.get(name)
    if name not in apart and value and value != default:
      said.append(f"--{name}" if value is True else f"--{name}={value}")
  return shlex.join(said + [f"--module={name}" for name in flags.module])
