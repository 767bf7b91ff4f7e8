"""What a vocabulary is, by its content: which ids it gives to a text.

Sentinels (`extra_ids`) are left out. They follow the other ids and change none
of them, whether SeqIO adds them or the SentencePiece file has them.
"""

import functools
import hashlib
import re
from typing import Any

import seqio
from sentencepiece import sentencepiece_model_pb2

from distill.data import vocabulary as vocabulary_lib
from distill.errors import UserError

_SENTINEL = re.compile(r"▁?<extra_id_\d+>")
# Of a vocabulary of another kind, the ids whose text is compared.
_MOST_IDS = 1 << 16


def difference(
  expected: seqio.Vocabulary, found: seqio.Vocabulary
) -> tuple[str, str] | None:
  """Returns descriptions of two vocabularies, None if they are the same.

  Files are read only where both vocabularies are of one kind.

  Raises:
    UserError: A file cannot be read.
  """
  both = [vocabulary_lib.named(one) for one in (expected, found)]
  if _kind(both[0]) != _kind(both[1]):
    return _describe(both[0]), _describe(both[1])
  left, right = identity(expected), identity(found)
  if left == right:
    return None
  return (
    f"{_describe(both[0])}, {left['size']:,} ids",
    f"{_describe(both[1])}, {right['size']:,} ids",
  )


def identity(vocabulary: seqio.Vocabulary) -> dict[str, Any]:
  """Returns the kind, size and SHA-256 of a vocabulary, as a JSON value.

  Raises:
    UserError: Its file cannot be read.
  """
  named = vocabulary_lib.loaded(vocabulary)
  try:
    if isinstance(named, seqio.SentencePieceVocabulary):
      size, sha256 = _pieces(named.sp_model)
    else:
      size, sha256 = _decoded(named)
  except Exception as error:  # A vocabulary of any make may raise anything.
    raise UserError(
      f"The vocabulary {_describe(named)} cannot be read.",
      expected="a SeqIO vocabulary whose files can be read",
      found=f"{type(error).__name__}: {error}",
      remedy="correct its path",
    ) from error
  return {"kind": _kind(named), "size": size, "sha256": sha256}


def _kind(vocabulary: seqio.Vocabulary) -> str:
  """Returns the name of the vocabulary's class; no file is read."""
  made = type(vocabulary)
  prefix = "" if made.__module__.startswith("seqio.") else f"{made.__module__}."
  return prefix + made.__qualname__


def _describe(vocabulary: seqio.Vocabulary) -> str:
  file = getattr(vocabulary, "sentencepiece_model_file", "")
  return _kind(vocabulary) + (f" of '{file}'" if file else "")


@functools.lru_cache(maxsize=8)
def _pieces(sp_model: bytes) -> tuple[int, str]:
  """Returns the number and digest of SentencePiece's ids."""
  proto: Any = sentencepiece_model_pb2  # whose names are made at import
  model = proto.ModelProto.FromString(sp_model)
  pieces = [(one.piece, one.type, one.score) for one in model.pieces]
  while pieces and _SENTINEL.fullmatch(pieces[-1][0]):
    pieces.pop()
  trainer = model.trainer_spec
  return len(pieces), _sha256(
    pieces,
    model.normalizer_spec.SerializeToString(deterministic=True),
    trainer.model_type,
    trainer.byte_fallback,
    trainer.treat_whitespace_as_suffix,
  )


def _decoded(vocabulary: seqio.Vocabulary) -> tuple[int, str]:
  """Returns the number and digest of ids by the text of each."""
  size = vocabulary.vocab_size - vocabulary.extra_ids
  texts = [vocabulary.decode([i]) for i in range(min(size, _MOST_IDS))]
  special = (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id)
  return size, _sha256(texts, size, special)


def _sha256(*content: Any) -> str:
  return hashlib.sha256(repr(content).encode()).hexdigest()
