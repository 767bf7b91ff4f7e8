"""`distill cache report`: what is wrong with a cache, before training."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distill import errors, quick_checks
from distill.commands import cache_flags
from distill.flags import Parser

if TYPE_CHECKING:
  from distill.data.registration import Family

# Of more, only who asks for it gets a report.
_MOST_ANSWERS = 50_000


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = Parser(
    "distill cache report",
    description="Measures the quality of a cache's rationales and labels, and"
    " shows some of them (docs/cache.md).",
  )
  cache_flags.add_shared(parser)
  add = parser.add_argument
  add("--input_dir", help="the cache; default: $DISTILL_DATA_DIR/<task>")
  add("--json", help="also write the report to this file")
  add("--samples", type=int, default=20, help="number of answers to show")
  add(
    "--seed", type=int, default=0, help="seed that chooses the answers to show"
  )
  return parser.parse(argv)


def survey(
  directory: str, family: Family, split: str, samples: int = 20, seed: int = 0
) -> dict[str, Any]:
  """Returns `hygiene.survey` of a cached split; a line says what it lacks."""
  from distill.data import hygiene
  from distill.data.cache import files

  name = family.dataset.name
  content = list(files.read(directory, name, split))
  test_inputs = None
  if split == "train":
    try:
      test_inputs = [e.input for e in family.dataset.examples("test")]
    except (errors.UserError, OSError) as error:
      what = getattr(error, "what", error)
      print(f"Test inputs are not compared: {what}", file=sys.stderr)
  return hygiene.survey(content, family.answer_rule, test_inputs, samples, seed)


def after_run(directory: str, family: Family, split: str, answers: int) -> None:
  """Prints how far a split can be trusted; a file beside it has all.

  The file is the same whenever it is written. Of very many answers there is
  none.
  """
  import tensorflow as tf

  from distill.data import hygiene
  from distill.data.cache import files, manifest

  name, file_name = family.dataset.name, manifest.HYGIENE.format(split=split)
  path = f"{directory}/{file_name}"
  if not tf.io.gfile.exists(path):
    if answers > _MOST_ANSWERS:
      print(f"No report, for over {_MOST_ANSWERS:,} answers take long. Run:")
      print(
        f"  distill cache report --task={name} --split={split}"
        f" --input_dir={directory}"
      )
      return
    text = json.dumps(survey(directory, family, split), indent=2)
    draft = f"{directory}/{manifest.INCOMPLETE}{file_name}"
    with files.writing(directory):
      with tf.io.gfile.GFile(draft, "w") as file:
        file.write(text + "\n")
      tf.io.gfile.rename(draft, path, overwrite=True)
  with tf.io.gfile.GFile(path) as file:
    report = json.load(file)
  print(hygiene.as_text({**report, "samples": []}))
  print(hygiene.in_a_sentence(report))
  print(f"{path} has this, and {len(report['samples'])} answers to read")


def main(argv: Sequence[str]) -> None:
  """Prints the report of one split."""
  flags = parse_arguments(argv)
  directory = cache_flags.folder(flags, flags.input_dir)
  quick_checks.check_cache(directory)
  family = cache_flags.find_family(flags, directory)
  from distill.data import hygiene

  report = survey(directory, family, flags.split, flags.samples, flags.seed)
  print(hygiene.as_text(report))
  print(f"\n{hygiene.in_a_sentence(report)}")
  if flags.json:
    text = json.dumps(report, indent=2, ensure_ascii=False)
    pathlib.Path(flags.json).write_text(text + "\n", encoding="utf-8")
