"""Views: what each training method sees of the same records.

A view is a list of preprocessors from records (`sources`) to `inputs` and
`targets`, which keep the example's `id`. Rows of validation and test splits
have no teacher's answers; there every label view has the gold label to score
against, and the rationale view has an empty target, so that `infer` can ask
for rationales.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import seqio
import tensorflow as tf

from distill.data.cache import records
from distill.data.feature_converters import AddLossGroup
from distill.data.metrics import ANSWER_ARROW

Row = dict[str, tf.Tensor]
# SeqIO gives a preprocessor what it names: output_features, sequence_length.
Preprocessor = Callable[..., tf.data.Dataset]


def _first(values: tf.Tensor, keep: tf.Tensor) -> tf.Tensor:
  """Returns the first kept string of [answers], '' where none is kept."""
  return tf.concat([tf.boolean_mask(values, keep), [""]], axis=0)[0]


def _unasked(record: Row) -> tf.Tensor:
  return tf.equal(tf.size(record["rationales"]), 0)


def gold_label(record: Row) -> tf.Tensor:
  """Returns the gold label."""
  return record["label"]


def teacher_label(record: Row) -> tf.Tensor:
  """Returns the first answer that could be parsed."""
  labels = record["teacher_labels"]
  first = _first(labels, tf.not_equal(labels, ""))
  return tf.where(_unasked(record), record["label"], first)


def rationale(record: Row) -> tf.Tensor:
  """Returns the first rationale that is not empty."""
  rationales = record["rationales"]
  return _first(rationales, tf.not_equal(rationales, ""))


def chain_of_thought(record: Row) -> tf.Tensor:
  """Returns 'rationale --> label', of the first rationale that agrees.

  Fine-tune-CoT (Ho et al. 2023, 3): only rationales whose answer is right.
  """
  rationales = record["rationales"]
  right = tf.equal(record["agrees"], records.AGREES)
  first = _first(rationales, right & tf.not_equal(rationales, ""))
  whole = tf.strings.join([first, ANSWER_ARROW, record["label"]])
  chain = tf.where(tf.equal(first, ""), "", whole)
  return tf.where(_unasked(record), record["label"], chain)


@dataclass(frozen=True)
class ToText:
  """A preprocessor: records to `inputs` and `targets`, as strings.

  Attributes:
    target: Gives a record's target; records with an empty one are skipped.
    prefix: Stands in front of the input.
    keep_unasked: Keeps rows that no teacher was asked about, all the same.
  """

  target: Callable[[Row], tf.Tensor]
  prefix: str = ""
  keep_unasked: bool = False

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns examples of `id`, `inputs` and `targets`."""

    def convert(record: Row) -> Row:
      target = self.target(record)
      keep = tf.not_equal(target, "") | (_unasked(record) & self.keep_unasked)
      inputs = tf.strings.join([self.prefix, record["input"]])
      return {
        "id": record["id"],
        "inputs": inputs,
        "targets": target,
        "keep": keep,
      }

    def without_keep(row: Row) -> Row:
      return {key: value for key, value in row.items() if key != "keep"}

    rows = dataset.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.filter(lambda row: row["keep"]).map(without_keep)


def tokenize(
  dataset: tf.data.Dataset, output_features: Mapping[str, seqio.Feature]
) -> tf.data.Dataset:
  """Returns the examples in tokens, beside their `…_pretokenized` text.

  Raises:
    UserError: Gin names no vocabulary, or its file cannot be read. Raised
      inside `map`, TensorFlow would wrap it in an error of its own.
  """
  _ = output_features["targets"].vocabulary.vocab_size
  return seqio.preprocessors.tokenize(dataset, output_features)


def preprocessors(to_text: Preprocessor, group: int) -> Sequence[Preprocessor]:
  """Returns a view's preprocessors, up to tokens with their loss group."""
  return (
    to_text,
    tokenize,
    seqio.preprocessors.append_eos,
    AddLossGroup(group),
  )
