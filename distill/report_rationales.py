"""`distill report_rationales`: what is wrong with a cache, before training."""

import argparse
import json
import os
import pathlib
import sys
from collections.abc import Sequence

from distill import errors


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = argparse.ArgumentParser(
    prog="distill report_rationales",
    description="Says how far a cache's rationales and labels can be trusted,"
    " and shows some of them (docs/cache.md).",
    allow_abbrev=False,
  )
  add = parser.add_argument
  add("--task", required=True, help="a registered family, e.g. cqa")
  add("--split", default="train", help="default: %(default)s")
  add("--input_dir", help="the cache; default: $DISTILL_DATA_DIR/<task>")
  add("--json", help="also writes the report to this file")
  add("--samples", type=int, default=20, help="answers to show")
  add("--seed", type=int, default=0, help="chooses them")
  add("--module", action="append", default=[], help="registers your family")
  return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
  """Prints the report of one split."""
  flags = parse_arguments(argv)
  # These bring TensorFlow, which `--help` and wrong flags do without.
  from distill.data import hygiene, registration
  from distill.data.cache import answering, caching

  family = registration.find_family(flags.task, flags.module)
  directory = flags.input_dir or os.path.join(caching.cache_root(), flags.task)
  content = list(answering.read(directory, flags.task, flags.split))
  test_inputs = None
  if flags.split == "train":
    try:
      test_inputs = [e.input for e in family.dataset.examples("test")]
    except errors.UserError as error:
      print(f"Test inputs are not compared: {error.what}", file=sys.stderr)
  report = hygiene.survey(
    content, family.answer_rule, test_inputs, flags.samples, flags.seed
  )
  print(hygiene.as_text(report))
  if flags.json:
    text = json.dumps(report, indent=2, ensure_ascii=False)
    pathlib.Path(flags.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
