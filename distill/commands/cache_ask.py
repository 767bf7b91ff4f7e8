"""`distill cache ask`: asks a teacher and caches its answers."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import itertools
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from distill import errors, quick_checks
from distill.commands import cache_flags, cache_report
from distill.commands.cache_flags import share
from distill.flags import Parser
from distill.teacher import prices, status

if TYPE_CHECKING:
  from distill.data.cache.manifest import SplitEntry
  from distill.teacher.attempts import Helper


class ProgressLine:
  """Says how far the writing of a split has come.

  On a terminal one line is rewritten; elsewhere a line is written now and then.
  """

  _SECONDS_BETWEEN_LINES = 10.0

  def __init__(self, stream: TextIO, what: str) -> None:
    self._stream = stream
    self._what = what
    self._terminal = stream.isatty()
    self._begun: float | None = None
    self._said = 0.0

  def __call__(self, done: int, total: int) -> None:
    """Shows that `done` of `total` examples are written."""
    now = time.monotonic()
    if self._begun is None:
      self._begun = self._said = now  # the first one waited for the teacher
    wait = 0.1 if self._terminal else self._SECONDS_BETWEEN_LINES
    last = self._terminal and done == total
    if now - self._said < wait and not last:
      return
    self._said = now
    left = ""
    if done > 1:
      seconds = (now - self._begun) / (done - 1) * (total - done)
      left = f", {seconds:.0f} s left"
    text = f"{self._what}: writing {done:,} of {total:,}{left}"
    if self._terminal:
      self._stream.write(f"\r{text}\x1b[K" + ("\n" if last else ""))
    else:
      self._stream.write(text + "\n")
    self._stream.flush()


def make_parser() -> Parser:
  """Returns the parser of the flags."""
  parser = Parser(
    "distill cache ask",
    description="Asks a teacher about every example of a split and caches its"
    " rationales as a TFDS dataset (docs/cache.md, docs/teachers.md).",
  )
  cache_flags.add_shared(parser, "output_dir", "num_shards", "overwrite")
  add = parser.add_argument
  add(
    "--shard_index",
    type=int,
    help="ask about this shard only and write no cache, on one of several"
    " machines; the command without this flag then writes the cache",
  )
  add(
    "--append",
    action="store_true",
    help="add this teacher's answers to an existing split",
  )
  add(
    "--no_report",
    action="store_true",
    help="do not report on the quality of the answers at the end",
  )
  cache_flags.add_flags(parser)
  add = parser.add_argument_group(
    "on Apache Beam", "flags after -- are passed to Beam"
  ).add_argument
  add("--runner", choices=["local", "beam"], default="local")
  add("--beam_workers", type=int, default=4, help="maximum number of workers")
  add("--beam_dir", help="a folder that all can write; default: the journal")
  return parser


def main(argv: Sequence[str]) -> None:
  """Writes the cache of one split and prints what is in it."""
  parser = make_parser()
  options, beam_flags = _parse(parser, argv)
  teacher = cache_flags.create_teacher(options)
  directory = cache_flags.folder(options, options.output_dir)
  quick_checks.check_folder(directory, "--output_dir")
  if options.journal_dir:
    quick_checks.check_folder(options.journal_dir, "--journal_dir")
  choice = cache_flags.choice(options)
  family = cache_flags.find_family(options, directory)
  from distill.data.cache import building

  examples = choice.examples(family.dataset, options.split)
  # Says what is wrong with the flags before a journal is made.
  collection = cache_flags.collection(
    options, teacher, family.answer_rule, family.prompt
  )
  what = family.dataset, options.split
  title = f"{options.task}/{options.split}"
  display = functools.partial(status.display_on, sys.stderr, title)
  with contextlib.ExitStack() as stack:
    journal = cache_flags.open_journal(options, teacher, directory)
    if journal is not None:
      stack.enter_context(journal)
    helper = _beam_helper(options, beam_flags)
    collection = dataclasses.replace(collection, journal=journal, helper=helper)
    if options.plan:
      plan = status.make_plan(examples, collection)
      print(status.plan_text(plan, collection))
      return
    if options.shard_index is not None:
      shard = options.shard_index, options.num_shards or 1
      asked = building.ask_shard(
        *what, collection, *shard, choice=choice, display=display()
      )
      print(f"{directory}: the answers to {asked:,} examples are journaled")
      return
    entry, written = building.build_cache(
      *(*what, collection, family.answer_rule, directory),
      choice=choice,
      num_shards=options.num_shards,
      overwrite=options.overwrite,
      append=options.append,
      flags=cache_flags.content_flags(options, parser),
      modules=options.module,
      display=display(),
      on_record=ProgressLine(sys.stderr, title),
    )
  _print_entry(directory, entry, written)
  if not options.no_report:
    cache_report.after_run(directory, family, options.split, entry.answers)


def _parse(
  parser: Parser, argv: Sequence[str]
) -> tuple[argparse.Namespace, Sequence[str]]:
  """Returns our flags, and Beam's."""
  ours = list(itertools.takewhile(lambda flag: flag != "--", argv))
  options = parser.parse(ours)
  if len(ours) < len(argv) and options.runner != "beam":
    parser.error("only --runner=beam passes on what stands after --")
  shards = options.num_shards
  valid = shards is None or shards >= 1
  errors.require("--num_shards", shards, valid, "1 or more")
  return options, argv[len(ours) + 1 :]


def _beam_helper(
  options: argparse.Namespace, flags: Sequence[str]
) -> Helper | None:
  """Returns what asks on Apache Beam, None to ask here."""
  if options.runner != "beam":
    return None
  from distill.contrib import beam_runner

  return beam_runner.helper(options, flags)


def _print_entry(directory: str, entry: SplitEntry, written: bool) -> None:
  """Prints what is in a cached split, and what it cost."""
  # Of several samples each is counted.
  labeled = entry.labeled * entry.answers // max(entry.examples, 1)
  print(f"{directory}: {'written' if written else 'already complete'}")
  print(f"  examples    {entry.examples:,} in {len(entry.shards)} shards")
  if entry.labeled < entry.examples:
    without = entry.examples - entry.labeled
    print(f"  unlabeled   {share(without, entry.examples)} have no gold label")
  print(f"  parsed      {share(entry.parsed, entry.answers)}")
  print(f"  agreement   {share(entry.agreeing, labeled)} of gold labels")
  for row in entry.ledger:
    print(
      f"  tokens      {row.prompt_tokens:,} read,"
      f" {row.completion_tokens:,} written by {row.teacher} ({row.prompt})"
      f", cost {prices.dollars(row.cost)}"
    )
  if entry.failed:
    print(f"  missing     {entry.failed:,} samples: run again to ask for them")
