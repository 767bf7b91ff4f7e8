"""Makes the tokens that an English starter is pretrained on.

Reads the training inputs (no labels and no rationales) of the families whose
files are in DISTILL_RAW_DATA_DIR, dictionaries of Debian packages (dict-wn,
dict-devil, dict-jargon, …) and text files. Writes into OUTPUT a SentencePiece
vocabulary, the text as ids (`tokens.npy`, for scripts/pretrain_tokens.py) and
`SOURCES.md`, which lists every source with its licence. Texts that begin with
an input of a validation or a test split are left out.
"""

import argparse
import gzip
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import train_vocabulary

from distill import errors, flags
from distill.data import registration
from distill.data.examples import normalise

# Those with a licence that lets a model be trained and passed on.
FAMILIES = {
  "cqa": "BSD-3-Clause (CoS-E 1.11)",
  "esnli": "MIT; SNLI: CC-BY-SA-4.0",
  "svamp": "MIT",
  "gsm8k": "MIT",
  "strategy_qa": "MIT",
  "aqua": "Apache-2.0",
  "date_understanding": "Apache-2.0",
  "tracking_shuffled_objects_bigbench": "Apache-2.0",
}
# File of the package dict-<name> → its licence.
DICTIONARIES = {
  "wn": "WordNet 3.0 licence, © Princeton University",
  "devil": "public domain (Ambrose Bierce, 1911)",
  "jargon": "public domain (The Jargon File)",
  "elements": "public domain (The Elements Database)",
}
SENTINELS = 100
_MOST_BYTES = 60_000_000
# What a definition begins with: '    n 1: ', '    2: '.
_SENSE = re.compile(r"\s+(?:(?:n|v|adj|adv)\s+)?\d*:\s")
_REFERENCES = re.compile(r"\[(?:syn|ant|also):[^\]]*\]|[{}]")


def definitions(file: pathlib.Path) -> Iterator[str]:
  """Yields the definitions of a dictionary, each with its word in front.

  Synonyms share a definition, which comes once.
  """
  word, text, seen = "", "", {""}
  with gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
    for line in [*lines, ""]:
      is_entry = bool(line[:1].strip())
      if is_entry or not line.strip() or _SENSE.match(line):
        text = _REFERENCES.sub("", text).strip()
        if text not in seen:
          yield f"{word}: {text}"
        seen.add(text)
        text = ""
      if is_entry:
        word = line.strip()
      else:
        text = f"{text} {_SENSE.sub('', line).strip()}"


def splits_on_disk(name: str) -> dict[str, Sequence[str]]:
  """Returns the inputs of each split of a family that is on this machine."""
  dataset: Any = registration.find_family(name).dataset
  return {
    split: [row.input for row in dataset.examples(split)]
    for split in dataset.splits
    if dataset.is_there(split)
  }


def gather(
  families: Iterable[str],
  dictionaries: Iterable[pathlib.Path],
  files: Iterable[str],
) -> dict[tuple[str, str], list[str]]:
  """Returns the texts by source and licence, without held-out inputs.

  Args:
    families: Names of families.
    dictionaries: `.dict.dz` files.
    files: Text files, each as FILE=LICENCE.

  Raises:
    UserError: A file is missing, or its licence is not known.
  """
  found: dict[tuple[str, str], Iterable[str]] = {}
  held_out: set[str] = set()
  for name in families:
    splits = splits_on_disk(name)
    found[name, FAMILIES[name]] = splits.pop("train", [])
    held_out.update(normalise(t) for rows in splits.values() for t in rows)
  for path in dictionaries:
    name = path.name.partition(".")[0]
    if name not in DICTIONARIES:
      raise errors.unknown("dictionary of a known licence", name, DICTIONARIES)
    errors.require("--dictionary", str(path), path.is_file(), "a file")
    found[f"dict-{name}", DICTIONARIES[name]] = definitions(path)
  for text in files:
    file, _, licence = text.partition("=")
    errors.require("--text", text, bool(licence), "FILE=LICENCE")
    found[pathlib.Path(file).name, licence] = train_vocabulary.lines([file])

  def is_held_out(text: str) -> bool:
    ends = [len(text), *(m.end() for m in re.finditer(r"[.?!]", text))]
    return any(text[:end] in held_out for end in ends)

  kept = {
    source: [text for text in texts if not is_held_out(normalise(text))]
    for source, texts in found.items()
  }
  return {source: texts for source, texts in kept.items() if texts}


def main(argv: Sequence[str]) -> None:
  """Writes vocabulary, tokens and sources."""
  parser = flags.Parser(
    "scripts/english_tokens.py",
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add("--task", action="append", choices=sorted(FAMILIES), help="default: all")
  add(
    "--dictionary", action="append", default=[], help="a .dict.dz; repeatable"
  )
  add("--text", action="append", default=[], help="FILE=LICENCE; repeatable")
  add("--size", type=int, default=8000, help="pieces, without sentinels")
  add("--output", required=True, help="folder")
  options = parser.parse(argv)
  output = pathlib.Path(options.output)
  families = options.task or list(FAMILIES)
  dictionaries = map(pathlib.Path, options.dictionary)
  sources = gather(families, dictionaries, options.text)
  texts = [text for those in sources.values() for text in those]
  whole = {"yes", "no", "entailment", "neutral", "contradiction"}
  for name in families:
    family = registration.find_family(name)
    whole |= {family.label_prefix, family.rationale_prefix}
  vocabulary = train_vocabulary.train(
    texts, whole, options.size, str(output / "spiece.model")
  )
  order = np.random.default_rng(0).permutation(len(texts))
  ids = [[*vocabulary.encode(texts[place]), 1] for place in order]
  tokens = np.concatenate([np.array(row, np.uint16) for row in ids])
  errors.require(
    "The text", f"{tokens.nbytes:,} bytes of tokens",
    tokens.nbytes < _MOST_BYTES, f"below {_MOST_BYTES:,} bytes",
  )  # fmt: skip
  np.save(output / "tokens.npy", tokens)
  rows = [
    f"| {name} | {licence} | {len(those):,} | {sum(map(len, those)):,} |"
    for (name, licence), those in sources.items()
  ]
  head = "| source | licence | texts | characters |\n|---|---|---|---|\n"
  (output / "SOURCES.md").write_text(head + "\n".join(rows) + "\n")
  size = vocabulary.get_piece_size() + SENTINELS
  print(f"{output}/tokens.npy: {len(tokens):,} tokens, --vocab_size={size}")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
