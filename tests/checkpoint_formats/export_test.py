"""The exported tokenizer has the sentinels that the vocabulary really has."""

import json
import os
import pathlib

import pytest
import seqio
from sentencepiece import sentencepiece_model_pb2

from distill import errors
from distill.checkpoint_formats import export

SENTENCEPIECE = os.path.join(
  os.path.dirname(seqio.__file__),
  "test_data/sentencepiece/sentencepiece.model",
)
PIECES = 26


def with_sentinels(path):
  """Writes a SentencePiece file that has sentinels, as mT5's has."""
  model = sentencepiece_model_pb2.ModelProto.FromString(
    pathlib.Path(SENTENCEPIECE).read_bytes()
  )
  for number in reversed(range(100)):
    model.pieces.add(piece=f"▁<extra_id_{number}>", score=0.0, type=4)
  path.write_bytes(model.SerializeToString())
  return str(path)


@pytest.mark.parametrize(
  ("inside", "rows", "recorded", "expected"),
  [
    (False, PIECES + 128, None, 100),  # T5: 32,000 pieces, 32,128 rows
    (True, PIECES + 112, None, 0),  # mT5: all of them are pieces
    (True, PIECES + 228, None, 0),
    (False, PIECES + 6, None, 0),  # rows that fill up a multiple of 8
    (False, PIECES + 128, 0, 0),
    (False, PIECES + 128, 17, 17),
  ],
)
def test_the_number_of_sentinels_beyond_the_table(
  tmp_path, inside, rows, recorded, expected
):
  file = with_sentinels(tmp_path / "file") if inside else SENTENCEPIECE
  export.write_tokenizer(tmp_path, file, rows, recorded)
  config = json.loads((tmp_path / "tokenizer_config.json").read_text())
  assert config["extra_ids"] == expected
  table = pathlib.Path(file).read_bytes()
  assert (tmp_path / "spiece.model").read_bytes() == table


@pytest.mark.parametrize(("rows", "expected"), [(384, 125), (256, 0)])
def test_bytes_have_no_more_sentinels_than_rows(tmp_path, rows, expected):
  export.write_tokenizer(tmp_path, export.BYTES, rows)
  config = json.loads((tmp_path / "tokenizer_config.json").read_text())
  assert config["extra_ids"] == expected


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
  (tmp_path / "bad.model").write_text("<html>")
  with pytest.raises(errors.UserError, match="bad.model"):
    export.write_tokenizer(tmp_path, str(tmp_path / "bad.model"), 32)
