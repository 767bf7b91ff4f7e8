"""Span corruption, the task that T5 is pretrained on.

A text in tokens is cut into pieces of one length. Some spans of each piece are
lost: `inputs` has a sentinel for each lost span, and `targets` has each lost
span after its sentinel (Raffel et al. 2020, 3.1.4). Sentinels count down from
the last id of the vocabulary, as in T5; ByT5's vocabulary has no ids for them,
so that, as in ByT5, they are the last bytes, which UTF-8 does not use.

Gin names the text. Importing this module registers the task `span_corruption`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gin
import seqio
import tensorflow as tf

from distill.data import registration
from distill.data.spans import Spans
from distill.data.vocabulary import loaded
from distill.errors import require, unknown

# Texts that are joined before they are cut; their end may be dropped.
_JOINED = 128


@gin.register
@dataclass(frozen=True, kw_only=True)
class SpanCorruption(Spans):
  """The text of pretraining, and which part of it is lost.

  Attributes:
    files: Glob patterns of text files, each line a text.
    task: A SeqIO task or mixture to read in place of files.
    feature: The feature of that task which has the text.
    module: The module that registers it.
  """

  files: str | Sequence[str] | None = None
  task: str | None = None
  feature: str = "text"
  module: str | None = None

  def __post_init__(self) -> None:
    super().__post_init__()
    require(
      "TEXT_FILES",
      self.files,
      bool(self.files) != bool(self.task),
      "the pattern of text files, such as 'corpus/*.txt', or else TEXT_TASK",
    )

  def mask(
    self, rows: tf.Tensor | int, length: int, seeds: tf.Tensor
  ) -> tf.Tensor:
    """Returns what `noise_mask` does, in TensorFlow.

    Args:
      rows: The number of rows.
      length: The number of tokens of each.
      seeds: [2, 2] int32.
    """
    lost, spans = self.counts(length)

    def divide(total: int, seed: tf.Tensor) -> tf.Tensor:
      """Returns [rows, spans] positive sizes with that total."""
      ranks = tf.random.stateless_uniform([rows, total - 1], seed)
      cuts = 1 + tf.sort(tf.math.top_k(ranks, spans - 1).indices)
      ends = tf.pad(cuts, [[0, 0], [0, 1]], constant_values=total)
      return ends - tf.pad(cuts, [[0, 0], [1, 0]])

    kept = divide(length - lost, seeds[0])
    sizes = tf.stack([kept, divide(lost, seeds[1])], axis=2)
    ends = tf.cumsum(tf.reshape(sizes, [rows, 2 * spans]), axis=1)
    places = tf.tile(tf.range(length)[tf.newaxis], [rows, 1])
    return tf.searchsorted(ends, places, side="right") % 2 == 1


def spans_as_sentinels(
  tokens: tf.Tensor, mask: tf.Tensor, vocab_size: int
) -> tf.Tensor:
  """Returns what `spans.spans_as_sentinels` does, in TensorFlow."""
  first = mask & ~tf.pad(mask[:, :-1], [[0, 0], [1, 0]])
  sentinels = vocab_size - tf.cumsum(tf.cast(first, tokens.dtype), axis=1)
  remaining = tf.where(first, sentinels, tokens)[~mask | first]
  return tf.reshape(remaining, [tf.shape(tokens)[0], -1])


def corrupt(
  dataset: tf.data.Dataset,
  output_features: Mapping[str, seqio.Feature],
  sequence_length: Mapping[str, int],
) -> tf.data.Dataset:
  """Returns `inputs` and `targets` in tokens; a preprocessor of texts.

  Args:
    dataset: Examples with a `text`.
    output_features: Whose vocabulary is used.
    sequence_length: Of `inputs` and `targets`.

  Raises:
    UserError: The vocabulary has too few sentinels, or the lengths are too
      small.
  """
  vocabulary = loaded(output_features["targets"].vocabulary)
  corruption = gin.get_configurable(SpanCorruption)()
  length = corruption.piece_length(sequence_length)
  _check_sentinels(vocabulary, corruption.counts(length)[1])
  size = vocabulary.vocab_size

  def tokenize(row: Mapping[str, tf.Tensor]) -> tf.Tensor:
    return tf.cast(vocabulary.encode_tf(row["text"] + "\n"), tf.int32)

  @seqio.map_over_dataset(num_seeds=2)
  def lose_spans(
    texts: tf.RaggedTensor, seeds: tf.Tensor
  ) -> dict[str, tf.Tensor]:
    rows = tf.size(texts.values) // length
    tokens = tf.reshape(texts.values[: rows * length], [rows, length])
    mask = corruption.mask(rows, length, seeds)
    return {
      "inputs": spans_as_sentinels(tokens, mask, size),
      "targets": spans_as_sentinels(tokens, ~mask, size),
    }

  tokens = dataset.map(tokenize, num_parallel_calls=tf.data.AUTOTUNE)
  return lose_spans(tokens.ragged_batch(_JOINED)).unbatch()


def _check_sentinels(vocabulary: seqio.Vocabulary, spans: int) -> None:
  """Raises UserError if sentinels would take the ids of common pieces."""
  available = vocabulary.extra_ids
  if isinstance(vocabulary, seqio.ByteVocabulary):
    available = max(available, 100)  # ByT5's number
  elif isinstance(vocabulary, seqio.SentencePieceVocabulary):
    tokenizer = vocabulary.tokenizer
    size = tokenizer.GetPieceSize()
    while available < size and "<extra_id_" in tokenizer.IdToPiece(
      size - 1 - available
    ):
      available += 1
  require(
    "TASK_FEATURE_LENGTHS",
    f"pieces of {spans} lost spans",
    spans <= available,
    f"at most {available} lost spans, the vocabulary's sentinels",
    "shorten TASK_FEATURE_LENGTHS, raise MEAN_SPAN_LENGTH, or give a"
    " SentencePiece vocabulary sentinels: EXTRA_IDS = 100",
  )


class _Texts(seqio.DataSource):
  """The text that gin names when it is read."""

  def __init__(self) -> None:
    super().__init__(splits=("train",), caching_permitted=False)

  @property
  def supports_arbitrary_sharding(self) -> bool:
    """Returns False: SeqIO deals out single examples instead."""
    return False

  def list_shards(self, split: str) -> Sequence[str]:
    """Returns one shard, so that SeqIO never asks for a part."""
    return [split]

  def get_dataset(
    self,
    split: str = "train",
    shuffle: bool = True,
    seed: int | None = None,
    *unused: Any,
    **options: Any,
  ) -> tf.data.Dataset:
    """Returns examples with a `text`.

    Raises:
      UserError: There are no such files, no such task or no such feature.
    """
    del unused, options
    corruption = gin.get_configurable(SpanCorruption)()
    if corruption.task:
      task = registration.get_mixture_or_task(
        corruption.task, corruption.module
      )
      rows = task.get_dataset(None, split=split, shuffle=shuffle, seed=seed)
      feature = corruption.feature
      if feature not in rows.element_spec:
        raise unknown(
          "feature of TEXT_TASK", feature, sorted(rows.element_spec)
        )
      return rows.map(lambda row: {"text": row[feature]})
    patterns = corruption.files
    patterns = [patterns] if isinstance(patterns, str) else patterns
    files = sorted(f for pattern in patterns for f in tf.io.gfile.glob(pattern))
    require("TEXT_FILES", patterns, bool(files), "patterns of files that exist")
    source = seqio.TextLineDataSource({split: files})
    lines = source.get_dataset(split, shuffle, seed)
    return lines.map(lambda line: {"text": line})


seqio.TaskRegistry.add(
  "span_corruption",
  source=_Texts(),
  preprocessors=[corrupt, seqio.preprocessors.append_eos],
  output_features={
    name: feature
    for name, feature in registration.output_features().items()
    if name in ("inputs", "targets")
  },
)
