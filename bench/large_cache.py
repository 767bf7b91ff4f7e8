"""A large cache for measurements, and the dataset family that it belongs to.

python bench/large_cache.py --examples=200000 --output_dir=CACHES

Then `read_batches.py` reads it, with `bench` on PYTHONPATH:

LARGE_CACHE_EXAMPLES=200000 DISTILL_DATA_DIR=CACHES \\
python bench/read_batches.py --gin_file=bench/large_cache.gin \\
  --gin.MIXTURE_OR_TASK_NAME="'large_scotd'"
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence

from distill import errors
from distill.answers.rules import NumberAnswer
from distill.data.cache import records
from distill.data.examples import Example

_ANSWERS = 8
_WORDS = 60
# What TensorFlow's flags would not let through.
_COUNT = "LARGE_CACHE_EXAMPLES"


def example(number: int) -> Example:
  """Returns an example with an input of 20 words."""
  words = _words(number, 20)
  return Example(f"{number:016x}", f"{number} {words}?", str(number % 10))


def record(number: int) -> records.Record:
  """Returns its record, with 8 rationales of 60 words."""
  texts = [_words(number * _ANSWERS + i, _WORDS) for i in range(_ANSWERS)]
  labels = [str((number + i // 6) % 10) for i in range(_ANSWERS)]
  return records.Record.of(
    example(number),
    rationales=texts,
    teacher_labels=labels,
    agrees=[int(label == str(number % 10)) for label in labels],
    finish_reasons=["stop"] * _ANSWERS,
    teachers=["made up"] * _ANSWERS,
    hinted=[0] * _ANSWERS,
    verdicts=[-1] * _ANSWERS,
  )


_VOCABULARY = [
  "".join(random.Random(i).choices("aeinorst", k=2 + i % 8))
  for i in range(5000)
]
_TEXT = random.Random(0).choices(_VOCABULARY, k=100_000)


def _words(seed: int, count: int) -> str:
  """Returns words of one long text, from a place that differs by the seed."""
  first = seed * 7919 % (len(_TEXT) - count)
  return " ".join(_TEXT[first : first + count])


class Large:
  """The dataset: as many rows as LARGE_CACHE_EXAMPLES says."""

  name = "large"
  splits = ("train",)

  def examples(self, split: str) -> Sequence[Example]:
    """Returns the rows."""
    del split
    return [example(number) for number in range(int(os.environ[_COUNT]))]


def main(argv: Sequence[str]) -> None:
  """Writes the cache."""
  from distill.data.cache import files, manifest

  parser = argparse.ArgumentParser()
  parser.add_argument("--examples", type=int, required=True)
  parser.add_argument("--output_dir", required=True)
  options = parser.parse_args(argv)
  folder = os.path.join(options.output_dir, Large.name)
  os.makedirs(folder, exist_ok=True)
  files.open_cache(folder, Large.name)
  shards, size = files.stage(
    *(folder, Large.name, "train", map(record, range(options.examples))),
    files.default_num_shards(options.examples),
    options.examples,
  )
  entry = manifest.SplitEntry(
    data_sha256=records.data_sha256(map(example, range(options.examples))),
    examples=options.examples,
    labeled=options.examples,
    flags="",
    record_bytes=size,
    shards=shards,
    ledger=(manifest.LedgerRow("made up", "none", "", ""),),
    command="bench/large_cache.py",
  )
  files.commit(folder, "train", entry)
  print(f"{entry.examples:,} records, {size:,} bytes in {len(shards)} files")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
elif _COUNT in os.environ:
  from distill.data import registration

  registration.register_family(
    Large(), answer_rule=NumberAnswer(), prompt="gsm8k.txt"
  )
