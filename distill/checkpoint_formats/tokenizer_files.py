"""A model's vocabulary as the files from which transformers builds it."""

import pathlib

from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface_writing

# Names a vocabulary of bytes, which has no file.
BYTES = "bytes"
_SPECIAL = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
# 256 bytes and 3 special tokens; ByT5 fills up with sentinels.
_BYTE_TOKENS = 259
_SENTENCEPIECE = "spiece.model"


def write(folder: pathlib.Path, vocabulary: str, vocab_size: int) -> None:
  """Writes tokenizer_config.json, and spiece.model of a SentencePiece file.

  Args:
    folder: The exported model's.
    vocabulary: `BYTES`, or a SentencePiece file, local or gs://.
    vocab_size: Rows of the model's embedding.

  Raises:
    UserError: The file cannot be read.
  """
  if vocabulary == BYTES:
    config = {
      "tokenizer_class": "ByT5Tokenizer",
      "extra_ids": min(125, vocab_size - _BYTE_TOKENS),
    }
  else:
    config = {
      "tokenizer_class": "T5Tokenizer",
      "extra_ids": 100,
      "legacy": False,
    }
    try:
      content = epath.Path(vocabulary).read_bytes()
    except OSError as error:
      raise errors.UserError(
        f"The vocabulary '{vocabulary}' cannot be read.",
        expected="a SentencePiece model",
        found=str(error),
        remedy="name a file with --tokenizer=FILE, or --tokenizer=none",
      ) from error
    (folder / _SENTENCEPIECE).write_bytes(content)
  huggingface_writing.write_json(
    folder / "tokenizer_config.json", {**config, **_SPECIAL}
  )
