"""Writes an exported folder: all or nothing, with a tokenizer."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import sentencepiece
from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface

# The name of the vocabulary of bytes, which has no file.
BYTES = "bytes"
_SPECIAL = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
# 256 bytes and 3 special tokens. ByT5 has sentinels after them.
_BYTE_TOKENS, _BYTE_SENTINELS = 259, 125
# T5's sentinels are in its SentencePiece file or after its last piece.
_SENTINELS = 100
_SENTINEL = re.compile(r"▁?<extra_id_\d+>")
_SENTENCEPIECE, _CONFIG = "spiece.model", "tokenizer_config.json"
_COPIED = (_SENTENCEPIECE, "tokenizer.json", "special_tokens_map.json",
           "added_tokens.json")  # fmt: skip


@contextlib.contextmanager
def new_folder(output: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Yields a temporary folder, which is renamed to `output` at the end.

  The folder is deleted after an error.

  Raises:
    UserError: `output` exists, is remote, or cannot be written.
  """
  text = os.fspath(output)
  if "://" in text or os.path.lexists(text):
    raise errors.UserError(
      f"'{text}' cannot be the output.",
      expected="a local path at which there is nothing",
      found="a remote path" if "://" in text else "something is there",
      remedy="name another --output; gcloud storage copies a folder to gs://",
    )
  final = pathlib.Path(os.path.abspath(text))
  partial = final.with_name(f"{final.name}.partial-{uuid.uuid4().hex}")
  try:
    partial.mkdir(parents=True)
    yield partial
    _use_default_modes(partial)
    partial.rename(final)
  except OSError as error:
    raise errors.UserError(
      f"'{text}' cannot be written.",
      expected="a path that can be written, with space for the weights",
      found=str(error),
      remedy="name another --output",
    ) from error
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _use_default_modes(folder: pathlib.Path) -> None:
  """Gives all files the default mode; libraries write some as 0600."""
  default = folder.stat().st_mode & 0o777
  for path in folder.rglob("*"):
    path.chmod(default if path.is_dir() else default & 0o666)


def copy_tokenizer(source: epath.Path, folder: pathlib.Path) -> bool:
  """Copies a Hugging Face folder's tokenizer; returns whether it has one."""
  if not (source / _CONFIG).exists():
    return False
  config = json.loads((source / _CONFIG).read_text())
  # This may be a path of the machine that wrote the folder.
  config.pop("name_or_path", None)
  huggingface.write_json(folder / _CONFIG, config)
  for name in _COPIED:
    if (source / name).exists():
      (folder / name).write_bytes((source / name).read_bytes())
  return True


def write_tokenizer(
  folder: pathlib.Path,
  vocabulary: str,
  vocab_size: int,
  extra_ids: int | None = None,
) -> None:
  """Writes tokenizer_config.json, and spiece.model of a SentencePiece file.

  Args:
    folder: The exported folder.
    vocabulary: `BYTES`, or a SentencePiece file on a disk or in gs://.
    vocab_size: The number of rows of the model's embedding.
    extra_ids: The number of sentinels after the SentencePiece file's pieces.
      None is T5's default: 100 if the file has none and the embedding has rows
      for them, else 0.

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
  huggingface.write_json(folder / _CONFIG, {**config, **_SPECIAL})


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
