"""A vocabulary with T5's ids, whole labels and whole prefixes."""

import importlib.util
import pathlib

import pytest
import seqio

from distill.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def script():
  spec = importlib.util.spec_from_file_location(
    "train_vocabulary", ROOT / "scripts" / "train_vocabulary.py"
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_labels_and_prefixes_are_one_piece_and_sentinels_are_last(
  script, tmp_path, capsys
):
  (tmp_path / "a.txt").write_text("A text of its own: żółw.\n" * 3)
  file = str(tmp_path / "my.model")
  flags = [f"--text={tmp_path}/*.txt", "--task=coin_flip", "--size=380"]
  script.main([*flags, "--piece=not entailment", f"--output={file}"])
  assert "380 pieces" in capsys.readouterr().out
  vocabulary = seqio.SentencePieceVocabulary(file, extra_ids=100)
  assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
  assert vocabulary.vocab_size == 480
  assert vocabulary.tokenizer.IdToPiece(479).endswith("<extra_id_0>")
  for label in ("yes", "no", "not entailment"):
    assert len(vocabulary.encode(label)) == 1
  text = "[rationale] A coin is heads up. Is it? żółw 7"
  ids = vocabulary.encode(text)
  assert vocabulary.decode(ids[:1]) == "[rationale]"
  assert vocabulary.decode(ids) == text and 2 not in ids


@pytest.mark.parametrize(
  "flags, message",
  [
    (["--text=/nowhere/*.txt"], "files that exist"),
    (["--task=coin_flip", "--size=100000"], "No vocabulary of this size"),
    (["--task=coin_flips"], "coin_flip"),
  ],
)
def test_what_makes_no_vocabulary_is_a_user_error(
  script, tmp_path, flags, message
):
  with pytest.raises(UserError, match=message):
    script.main([*flags, f"--output={tmp_path}/my.model"])
  assert not (tmp_path / "my.model").exists()
