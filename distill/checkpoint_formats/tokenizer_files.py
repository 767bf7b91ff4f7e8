"""A model's vocabulary as the files from which transformers builds it."""

import json
import pathlib
import re
from typing import Any

import sentencepiece
from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface_writing

# Names a vocabulary of bytes, which has no file.
BYTES = "bytes"
_SPECIAL = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
# 256 bytes and 3 special tokens; ByT5 fills up with sentinels.
_BYTE_TOKENS, _BYTE_SENTINELS = 259, 125
# T5 has this number of sentinels, in its SentencePiece file or beyond it.
_SENTINELS = 100
_SENTINEL = re.compile(r"▁?<extra_id_\d+>")
_SENTENCEPIECE, _CONFIG = "spiece.model", "tokenizer_config.json"
_COPIED = (_SENTENCEPIECE, "tokenizer.json", "special_tokens_map.json",
           "added_tokens.json")  # fmt: skip


def copy(source: epath.Path, folder: pathlib.Path) -> bool:
  """Copies the tokenizer of a Hugging Face folder; False where it has none."""
  if not (source / _CONFIG).exists():
    return False
  config = json.loads((source / _CONFIG).read_text())
  # A path of the machine where it was made.
  config.pop("name_or_path", None)
  huggingface_writing.write_json(folder / _CONFIG, config)
  for name in _COPIED:
    if (source / name).exists():
      (folder / name).write_bytes((source / name).read_bytes())
  return True


def write(
  folder: pathlib.Path,
  vocabulary: str,
  vocab_size: int,
  extra_ids: int | None = None,
) -> None:
  """Writes tokenizer_config.json, and spiece.model of a SentencePiece file.

  Args:
    folder: The exported model's.
    vocabulary: `BYTES`, or a SentencePiece file, local or gs://.
    vocab_size: Rows of the model's embedding.
    extra_ids: Sentinels beyond the SentencePiece file. None is as T5 has it:
      100, where the file has none and the embedding has rows for them.

  Raises:
    UserError: The file cannot be read.
  """
  config: dict[str, Any]
  if vocabulary == BYTES:
    room = max(0, vocab_size - _BYTE_TOKENS)
    config = {
      "tokenizer_class": "ByT5Tokenizer",
      "extra_ids": min(_BYTE_SENTINELS, room),
    }
  else:
    content = _read(vocabulary)
    if extra_ids is None:
      extra_ids = _sentinels_beyond(vocabulary, content, vocab_size)
    config = {
      "tokenizer_class": "T5Tokenizer",
      "extra_ids": extra_ids,
      "legacy": False,
    }
    (folder / _SENTENCEPIECE).write_bytes(content)
  huggingface_writing.write_json(folder / _CONFIG, {**config, **_SPECIAL})


def _read(vocabulary: str) -> bytes:
  try:
    return epath.Path(vocabulary).read_bytes()
  except OSError as error:
    raise _unreadable(vocabulary, error) from error


def _sentinels_beyond(vocabulary: str, content: bytes, vocab_size: int) -> int:
  try:
    model = sentencepiece.SentencePieceProcessor(model_proto=content)
  except RuntimeError as error:
    raise _unreadable(vocabulary, error) from error
  size = model.get_piece_size()
  inside = any(_SENTINEL.fullmatch(model.id_to_piece(i)) for i in range(size))
  return 0 if inside or vocab_size - size < _SENTINELS else _SENTINELS


def _unreadable(vocabulary: str, error: Exception) -> errors.UserError:
  return errors.UserError(
    f"The vocabulary '{vocabulary}' cannot be read.",
    expected="a SentencePiece model",
    found=str(error),
    remedy="name a file with --tokenizer=FILE, or --tokenizer=none",
  )
