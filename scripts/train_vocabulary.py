"""Trains a SentencePiece vocabulary with T5's ids.

It is made from text files and from the training split of families: inputs,
labels, and cached rationales where DISTILL_DATA_DIR has a cache. Labels (if a
family has few) and the prefixes of step-by-step become whole pieces. Padding is
0, the end of sequence 1, unknown 2. Sentinels come after the file's pieces:
--gin.VOCABULARY_FILE=OUTPUT --gin.EXTRA_IDS=100.
"""

import argparse
import glob
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence

import sentencepiece

from distill import errors, flags

# More labels than this are no classes.
_MOST_LABELS = 100
# SentencePiece's mark of a space.
_SPACE = "▁"


def train(
  texts: Iterable[str], whole: Iterable[str], size: int, output: str
) -> sentencepiece.SentencePieceProcessor:
  """Writes a SentencePiece model and returns it.

  Args:
    texts: What the pieces are found in.
    whole: Texts that become one piece each, where a word begins.
    size: The number of pieces.
    output: The file.

  Raises:
    UserError: There is no text, or too little or too much of it for `size`.
  """
  pieces = {_SPACE + w.strip().replace(" ", _SPACE) for w in whole if w.strip()}
  model = pathlib.Path(output)
  model.parent.mkdir(parents=True, exist_ok=True)
  with model.with_name(f"{model.name}.partial").open("wb") as partial:
    try:
      sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=partial,
        vocab_size=size,
        user_defined_symbols=sorted(pieces),
        byte_fallback=True,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=1,
      )
    except (OSError, RuntimeError) as error:
      raise errors.UserError(
        "No vocabulary of this size can be made.",
        expected="--size between the characters and the words of the text",
        found=str(error).splitlines()[0],
        remedy="change --size, or give more text",
      ) from error
  pathlib.Path(partial.name).replace(model)
  return sentencepiece.SentencePieceProcessor(model_file=output)


def family_texts(name: str, modules: Sequence[str]) -> tuple[list[str], set]:
  """Returns the training texts of a family, and those that become pieces."""
  from distill.data import lookup, registration
  from distill.data.cache import files

  family = registration.find_family(name, modules)
  rows = family.dataset.examples("train")
  texts = [text for row in rows for text in (row.input, row.label)]
  folder = os.path.join(os.environ.get(lookup.CACHE_ROOT_VARIABLE, ""), name)
  if os.path.exists(f"{folder}/manifest.json"):
    for record in files.read(folder, name, "train"):
      texts += record.rationales
  labels = {row.label for row in rows}
  labels = labels if len(labels) <= _MOST_LABELS else set()
  return texts, labels | {family.label_prefix, family.rationale_prefix}


def lines(patterns: Iterable[str]) -> Iterator[str]:
  """Yields the lines of text files."""
  for pattern in patterns:
    found = sorted(glob.glob(pattern))
    errors.require("--text", pattern, bool(found), "files that exist")
    for file in found:
      with open(file, encoding="utf-8") as stream:
        yield from (line.rstrip("\n") for line in stream)


def main(argv: Sequence[str]) -> None:
  """Trains a vocabulary and prints how it splits its whole pieces."""
  parser = flags.Parser(
    "scripts/train_vocabulary.py",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add("--text", action="append", default=[], help="glob pattern of text files")
  add("--task", action="append", default=[], help="family; repeatable")
  add("--module", action="append", default=[], help="registers your families")
  add("--piece", action="append", default=[], help="text to be one piece")
  add("--size", type=int, default=8000, help="pieces, without sentinels")
  add("--output", required=True, help="file, such as my.model")
  options = parser.parse(argv)
  texts, whole = list(lines(options.text)), set(options.piece)
  for name in options.task:
    its_texts, its_pieces = family_texts(name, options.module)
    texts += its_texts
    whole |= its_pieces
  vocabulary = train(texts, whole, options.size, options.output)
  split = {w for w in whole if len(vocabulary.encode(w.strip())) > 1}
  print(
    f"{options.output}: {vocabulary.get_piece_size():,} pieces of "
    f"{len(texts):,} texts; {len(whole) - len(split)} whole"
  )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
