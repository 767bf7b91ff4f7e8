"""One task name, any model: the vocabulary is the one that gin names.

A gin file binds `vocabulary.model_vocabulary.vocabulary = %VOCABULARY`, and
every use of a task reads it from gin again, so that two models in one process
never meet each other's tokens. This takes 0.1 ms; SeqIO keeps each
SentencePiece model that it has read. Two vocabularies are compared by their
content, without sentinels (`extra_ids`), which follow the other ids and change
none of them.
"""

import functools
import hashlib
import re
from typing import Any

import gin
import seqio
from sentencepiece import sentencepiece_model_pb2

from distill.errors import UserError

_REMEDY = (
  "include a file of gin_configs/models, or set the macro VOCABULARY to a"
  " SeqIO vocabulary that can be read, e.g. @seqio.SentencePieceVocabulary()"
  " and its sentencepiece_model_file"
)


@gin.register
def model_vocabulary(
  vocabulary: seqio.Vocabulary = gin.REQUIRED,
) -> seqio.Vocabulary:
  """Returns the model's vocabulary, the one that gin binds."""
  return vocabulary


def current_vocabulary() -> seqio.Vocabulary:
  """Returns what gin names at this moment; its file need not exist.

  Raises:
    UserError: Gin names no vocabulary.
  """
  try:
    found = gin.get_configurable(model_vocabulary)()
  except (RuntimeError, TypeError, ValueError) as error:
    # Gin says a missing binding or a missing macro in these ways.
    found = str(error).splitlines()[0]
  if isinstance(found, seqio.Vocabulary):
    return found
  raise UserError(
    "No vocabulary is set for the model: the gin macro VOCABULARY.",
    expected="`vocabulary.model_vocabulary.vocabulary = %VOCABULARY`, and"
    " VOCABULARY a SeqIO vocabulary",
    found="gin.REQUIRED" if found is gin.REQUIRED else str(found),
    remedy=_REMEDY,
  )


def named(vocabulary: seqio.Vocabulary) -> seqio.Vocabulary:
  """Returns the vocabulary itself, or the one that gin names for it.

  Raises:
    UserError: Gin names none.
  """
  if isinstance(vocabulary, ModelVocabulary):
    return current_vocabulary()
  return vocabulary


def loaded(vocabulary: seqio.Vocabulary) -> seqio.Vocabulary:
  """Returns `named(vocabulary)` with its SentencePiece file read.

  Raises:
    UserError: The file cannot be found or read.
  """
  found = named(vocabulary)
  if not isinstance(found, seqio.SentencePieceVocabulary):
    return found
  try:
    found.load_model()
  except Exception as error:  # SentencePiece and protobuf have many of them.
    own = found is not vocabulary
    what = "The file of the gin macro VOCABULARY" if own else "A vocabulary"
    raise UserError(
      f"{what} cannot be read: {found.sentencepiece_model_file}",
      expected="a SentencePiece model",
      found=f"{type(error).__name__}: {error}",
      remedy=_REMEDY if own else "correct the path, or copy the file there",
    ) from error
  return found


def _loaded() -> seqio.Vocabulary:
  return loaded(ModelVocabulary())


def _of_loaded(name: str) -> Any:
  """Returns a property that is the loaded vocabulary's attribute."""
  return property(lambda self: getattr(_loaded(), name))


class ModelVocabulary(seqio.Vocabulary):
  """Stands for whatever vocabulary gin names when it is used.

  All that SeqIO's base class defines is taken from that vocabulary.
  """

  bos_id = _of_loaded("bos_id")
  eos_id = _of_loaded("eos_id")
  pad_id = _of_loaded("pad_id")
  unk_id = _of_loaded("unk_id")
  vocab_size = _of_loaded("vocab_size")
  encode = _of_loaded("encode")
  decode = _of_loaded("decode")
  encode_tf = _of_loaded("encode_tf")
  decode_tf = _of_loaded("decode_tf")
  # Abstract in the base class.
  _base_vocab_size = _of_loaded("_base_vocab_size")
  _encode = _of_loaded("_encode")
  _decode = _of_loaded("_decode")
  _encode_tf = _of_loaded("_encode_tf")
  _decode_tf = _of_loaded("_decode_tf")

  @property
  def extra_ids(self) -> int:
    """Number of sentinel ids; reads no file."""
    return current_vocabulary().extra_ids

  def __getattr__(self, name: str) -> Any:
    """Delegates what only some vocabularies have (`tokenizer`, …)."""
    if name.startswith("_"):
      raise AttributeError(name)
    return getattr(_loaded(), name)

  def __eq__(self, other: object) -> bool:
    """Returns whether both name the same vocabulary; reads no file."""
    if isinstance(other, ModelVocabulary):
      return True
    return current_vocabulary() == other

  # As SeqIO's own vocabularies, which are compared and not hashed.
  __hash__ = None  # type: ignore[assignment]

  def __repr__(self) -> str:
    return "ModelVocabulary()"


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
  both = [named(one) for one in (expected, found)]
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
  named = loaded(vocabulary)
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
