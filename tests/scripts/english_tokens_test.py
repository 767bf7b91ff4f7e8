"""The text of the English starter: its sources, and what is left out."""

import gzip
import importlib
import json
import pathlib
import sys

import numpy as np
import pytest
import sentencepiece

from distill.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
DICTIONARY = """\
abet
    v 1: assist or encourage, usually in some
         wrongdoing
    2: a second sense; "an example" [syn: {help}, {back
       up}]

abettor
    n 1: assist or encourage, usually in some wrongdoing
"""


@pytest.fixture
def script(monkeypatch):
  monkeypatch.syspath_prepend(str(ROOT / "scripts"))
  yield importlib.import_module("english_tokens")
  del sys.modules["english_tokens"], sys.modules["train_vocabulary"]


@pytest.fixture
def dictionary(tmp_path):
  file = tmp_path / "wn.dict.dz"
  with gzip.open(file, "wt") as stream:
    stream.write(DICTIONARY)
  return file


def test_a_definition_comes_once_with_its_word(script, dictionary):
  assert list(script.definitions(dictionary)) == [
    "abet: assist or encourage, usually in some wrongdoing",
    'abet: a second sense; "an example"',
  ]


def test_tokens_are_of_training_inputs_and_dictionaries_alone(
  script, dictionary, tmp_path, monkeypatch
):
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  (tmp_path / "gsm8k").mkdir()
  for split in ("train", "test"):
    rows = [
      {"question": f"Problem {n} of {split}?", "answer": f"r #### {n}"}
      for n in range(40)
    ]
    text = "\n".join(map(json.dumps, rows))
    (tmp_path / "gsm8k" / f"{split}.jsonl").write_text(text)
  (tmp_path / "own.txt").write_text(
    "A text of our own.\nproblem 7 of TEST? It is 7.\n"
  )
  script.main(
    [
      *("--task=gsm8k", f"--dictionary={dictionary}", "--size=320"),
      *(f"--text={tmp_path}/own.txt=CC0", f"--output={tmp_path}/out"),
    ]
  )
  tokens = np.load(tmp_path / "out" / "tokens.npy")
  vocabulary = sentencepiece.SentencePieceProcessor(
    model_file=str(tmp_path / "out" / "spiece.model")
  )
  assert tokens.dtype == np.uint16 and tokens[-1] == 1
  texts = [
    vocabulary.decode(part.tolist())
    for part in np.split(tokens, np.flatnonzero(tokens == 1) + 1)
  ]
  assert "A text of our own." in texts
  assert "abet: assist or encourage, usually in some wrongdoing" in texts
  # About a tenth of train is gsm8k's validation split.
  problems = [text for text in texts if "Problem" in text]
  assert 30 < len(problems) < 40 and all("of train?" in t for t in problems)
  assert not any("TEST" in text or "####" in text for text in texts)
  sources = (tmp_path / "out" / "SOURCES.md").read_text()
  assert "| gsm8k | MIT |" in sources and "| own.txt | CC0 | 1 |" in sources
  assert "| dict-wn | WordNet 3.0 licence" in sources


@pytest.mark.parametrize(
  "flag, message",
  [
    ("--dictionary=gcide.dict.dz", "There is no dictionary of a known licence"),
    ("--text=own.txt", "FILE=LICENCE"),
  ],
)
def test_a_source_without_a_licence_is_a_user_error(
  script, tmp_path, monkeypatch, flag, message
):
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  with pytest.raises(UserError, match=message):
    script.main(["--task=gsm8k", flag, f"--output={tmp_path}"])
