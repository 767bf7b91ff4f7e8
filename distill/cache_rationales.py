"""`distill cache_rationales`: asks a teacher and caches its answers."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from distill import errors
from distill.teacher import prompts, registry


class ProgressLine:
  """Says how far a count has come, and when it will be complete.

  On a terminal one line is rewritten; elsewhere one is written at each tenth.
  """

  def __init__(self, stream: TextIO, what: str) -> None:
    self._stream = stream
    self._what = what
    self._begun = time.monotonic()
    self._terminal = stream.isatty()
    self._said = 0

  def __call__(self, done: int, total: int) -> None:
    """Shows that `done` of `total` are there."""
    parts = 1000 if self._terminal else 10
    if done * parts // total == self._said:
      return
    self._said = done * parts // total
    seconds = time.monotonic() - self._begun
    left = seconds / done * (total - done)
    text = f"{self._what}: {done:,} of {total:,}, {left:.0f} s left"
    if self._terminal:
      end = "\n" if done == total else ""
      self._stream.write(f"\r{text}\x1b[K{end}")
    else:
      self._stream.write(text + "\n")
    self._stream.flush()


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = argparse.ArgumentParser(
    prog="distill cache_rationales",
    description="Asks a teacher about every example of a split and caches its"
    " rationales as a TFDS dataset (docs/cache.md).",
    allow_abbrev=False,
  )
  add = parser.add_argument
  add("--task", required=True, help="a registered family, e.g. last_letters")
  add("--split", default="train", help="train, validation or test")
  add("--teacher", default="builtin", help="default: %(default)s")
  add(
    "--error_rate", type=float, help="builtin: share of wrong answers, 0 to 1"
  )
  add("--seed", type=int, help="builtin: chooses the wrong answers")
  add("--output_dir", help="default: $DISTILL_DATA_DIR/<task>")
  add("--prompt", help="a template's name or path; default: the family's")
  add("--num_shards", type=int, help="default: one for 1,000 examples")
  add(
    "--module",
    action="append",
    default=[],
    help="a Python module that registers your family; may be repeated",
  )
  add(
    "--overwrite",
    action="store_true",
    help="replace the split if it came about in another way or is damaged",
  )
  return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
  """Writes the cache of one split and prints what is in it."""
  options = parse_arguments(argv)
  if options.num_shards is not None and options.num_shards < 1:
    raise errors.UserError(
      "A split has at least one shard.",
      expected="--num_shards=1 or more",
      found=str(options.num_shards),
    )
  # These bring TensorFlow, which `--help` and wrong flags do without.
  from distill.data import caching, lookup, registration

  for module in ("tasks", *options.module):
    lookup.import_registrations(module)
  if options.task not in registration.FAMILIES:
    raise lookup.unknown_name(
      "dataset family", options.task, registration.FAMILIES
    )
  family = registration.FAMILIES[options.task]
  directory = options.output_dir or os.path.join(
    caching.cache_root(), options.task
  )
  entry, written = caching.build_cache(
    family.dataset,
    options.split,
    _teacher(options),
    prompts.load_prompt(options.prompt or family.prompt),
    family.answer_rule,
    directory,
    num_shards=options.num_shards,
    overwrite=options.overwrite,
    flags=_flags(options),
    on_response=ProgressLine(sys.stderr, f"{options.task}/{options.split}"),
  )
  print(f"{directory}: {'written' if written else 'already complete'}")
  print(f"  examples    {entry.examples:,} in {len(entry.shards)} shards")
  print(f"  parsed      {_share(entry.parsed, entry.answers)}")
  print(f"  agreement   {_share(entry.agreeing, entry.labeled)} of gold labels")
  print(
    f"  tokens      {entry.prompt_tokens:,} read,"
    f" {entry.completion_tokens:,} written by {entry.teacher}"
  )


def _teacher(options: argparse.Namespace) -> Any:
  given = {"error_rate": options.error_rate, "seed": options.seed}
  given = {key: value for key, value in given.items() if value is not None}
  return registry.create_teacher(options.teacher, **given)


def _flags(options: argparse.Namespace) -> str:
  """Returns, for a message, the flags that decide what a split holds."""
  flags = [f"--teacher={options.teacher}"]
  for name in ("error_rate", "seed", "prompt", "num_shards"):
    value = getattr(options, name)
    if value is not None:
      flags.append(f"--{name}={value}")
  return shlex.join(flags + [f"--module={name}" for name in options.module])


def _share(part: int, whole: int) -> str:
  percent = 100 * part / whole if whole else 0.0
  return f"{part:,} of {whole:,} ({percent:.1f}%)"


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
