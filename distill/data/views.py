"""Views: what each training method sees of the same records.

A view is a list of preprocessors from records (`sources`) to `inputs` and
`targets`, which keep the example's `id`. Rows of validation and test splits
have no teacher's answers; there every view has the gold label to score
against, but for the rationale view, whose empty target lets `infer` ask for
rationales.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import seqio
import tensorflow as tf

from distill import loss_groups
from distill.data import joined_targets, prefixes
from distill.data.cache import records
from distill.teacher import prompts

Row = dict[str, tf.Tensor]
# SeqIO gives a preprocessor what it names: output_features, sequence_length.
Preprocessor = Callable[..., tf.data.Dataset]
# From a record with answers to [targets], each of which is a row.
Targets = Callable[[Row], tf.Tensor]

_ANSWERS = ("rationales", "teacher_labels", "agrees")


def unasked(record: Row) -> tf.Tensor:
  """Returns whether no teacher was asked about a record."""
  return tf.equal(tf.size(record["rationales"]), 0)


def gold_label(record: Row) -> tf.Tensor:
  """Returns the gold label."""
  return record["label"][tf.newaxis]


def teacher_label(record: Row) -> tf.Tensor:
  """Returns the first answer that could be parsed."""
  labels = record["teacher_labels"]
  return tf.boolean_mask(labels, tf.not_equal(labels, ""))[:1]


def rationale(record: Row) -> tf.Tensor:
  """Returns the first rationale that is not empty."""
  rationales = record["rationales"]
  return tf.boolean_mask(rationales, tf.not_equal(rationales, ""))[:1]


def right(record: Row) -> tf.Tensor:
  """Returns which answers have a rationale and are the gold label."""
  return reasoned(record) & tf.equal(record["agrees"], records.AGREES)


def wrong(record: Row) -> tf.Tensor:
  """Returns which answers have a rationale and are another label."""
  return reasoned(record) & tf.equal(record["agrees"], records.DISAGREES)


def reasoned(record: Row) -> tf.Tensor:
  """Returns which answers have a rationale."""
  return tf.not_equal(record["rationales"], "")


def wrong_rationales(record: Row) -> tf.Tensor:
  """Returns all rationales that led to a wrong answer."""
  return tf.boolean_mask(record["rationales"], wrong(record))


@dataclass(frozen=True)
class Chains:
  """Targets of a rationale and its answer, one for each that is kept.

  Attributes:
    words: What stands between the two.
    keep: Which answers of a record are kept; those without a rationale or
      without an answer never are.
    teacher: Whether the answer is the teacher's own, and not the gold label.
    answer_first: Whether the answer stands in front of the rationale.
  """

  words: str
  keep: Callable[[Row], tf.Tensor] = right
  teacher: bool = False
  answer_first: bool = False

  def __call__(self, record: Row) -> tf.Tensor:
    """Returns the targets of a record, [kept] strings."""
    parts = [record["rationales"], record["teacher_labels"]]
    if not self.teacher:
      parts[1] = tf.fill(tf.shape(parts[0]), record["label"])
    keep = self.keep(record) & reasoned(record) & tf.not_equal(parts[1], "")
    if self.answer_first:
      parts.reverse()
    whole = tf.strings.join(parts, separator=self.words)
    return tf.boolean_mask(whole, keep)


@dataclass(frozen=True)
class ToText:
  """A preprocessor: records to `inputs` and `targets`, as strings.

  Attributes:
    targets: Gives a record's targets; empty ones are left out.
    prefix: Stands in front of the input.
    suffix: Stands behind it.
    task_prefix: Stands in front of all of it, unless `prefixes` says that the
      decoder reads it.
    ask: Whether rows that no teacher was asked about have an empty target, to
      be decoded, and not their label, to be scored.
  """

  targets: Targets
  prefix: str = ""
  suffix: str = ""
  task_prefix: str = ""
  ask: bool = False

  @property
  def before(self) -> str:
    """What stands in front of the input."""
    return prefixes.before_input(self.task_prefix) + self.prefix

  def forms(self) -> dict[str, str]:
    """Returns what it makes of an input, for `input_forms`."""
    return {"": f"{self.before}…{self.suffix}"}

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns examples of `id`, `inputs` and `targets`."""
    before = self.before

    def convert(record: Row) -> Row:
      scored = gold_label(record)
      targets = tf.cond(
        unasked(record),
        lambda: tf.zeros_like(scored) if self.ask else scored,
        lambda: self.targets(record),
      )
      keep = tf.not_equal(targets, "") | (unasked(record) & self.ask)
      targets = tf.boolean_mask(targets, keep)
      inputs = tf.strings.join([before, record["input"], self.suffix])
      return {
        "id": tf.fill(tf.shape(targets), record["id"]),
        "inputs": tf.fill(tf.shape(targets), inputs),
        "targets": targets,
        **joined_targets.ends(targets),
      }

    rows = dataset.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.unbatch()


@dataclass(frozen=True)
class InPrompt:
  """A preprocessor: puts each record's input into a teacher's prompt."""

  prompt: str

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the records; reads the prompt's file."""
    before, _, after = prompts.load_prompt(self.prompt).text.partition(
      prompts.HOLE
    )

    def render(record: Row) -> Row:
      whole = tf.strings.join([before, record["input"], after])
      return {**record, "input": whole}

    return dataset.map(render, num_parallel_calls=tf.data.AUTOTUNE)


class OneRight:
  """A preprocessor: leaves each record one of its right answers.

  A new one is drawn at each visit of the record, with equal probability (Li
  et al. 2023, the balanced way). SeqIO gives every place of the endless stream
  a seed of its own, made from the task's, so that the draws are those of the
  seed, and a saved position goes on with the same.
  """

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the records that have a right answer, or were not asked."""

    @seqio.map_over_dataset(num_seeds=1)
    def draw(record: Row, seed: tf.Tensor) -> Row:
      places = tf.where(right(record))[:, 0]
      count = tf.maximum(tf.size(places), 1)
      place = tf.random.stateless_uniform([], seed, 0, count, tf.int32)
      drawn = places[place : place + 1]
      return {
        **record,
        **{field: tf.gather(record[field], drawn) for field in _ANSWERS},
      }

    return draw(
      dataset.filter(lambda row: unasked(row) | tf.reduce_any(right(row)))
    )


@dataclass(frozen=True)
class ToPairs:
  """A preprocessor: both views of a record in one example.

  Attributes:
    label: Gives the label, which becomes `targets`.
    label_prefix: Stands in front of `inputs`, as a `task_prefix`.
    rationale_prefix: Stands in front of `rationale_inputs`, whose target is
      `rationale_targets`. Rows that no teacher was asked about have neither.
  """

  label: Targets
  label_prefix: str
  rationale_prefix: str

  @property
  def before(self) -> list[str]:
    """What stands in front of the input of each view."""
    both = self.label_prefix, self.rationale_prefix
    return [prefixes.before_input(prefix) for prefix in both]

  def forms(self) -> dict[str, str]:
    """Returns what each view makes of an input, for `input_forms`."""
    label, rationale = self.before
    return {"label": f"{label}…", "rationale": f"{rationale}…"}

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples that have a label or a rationale."""
    ask, explain = self.before

    def convert(record: Row) -> Row:
      alone = unasked(record)
      label = tf.cond(
        alone, lambda: gold_label(record), lambda: self.label(record)
      )
      asked = tf.strings.join([explain, record["input"]])
      return {
        "id": record["id"],
        "inputs": tf.strings.join([ask, record["input"]]),
        "targets": tf.strings.reduce_join(label),
        "rationale_inputs": tf.where(alone, "", asked),
        "rationale_targets": tf.strings.reduce_join(rationale(record)),
      }

    def says_anything(row: Row) -> tf.Tensor:
      return tf.not_equal(row["targets"] + row["rationale_targets"], "")

    rows = dataset.map(convert, num_parallel_calls=tf.data.AUTOTUNE)
    return rows.filter(says_anything)


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


def without_end(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns the examples, their targets without the end of sequence."""
  return dataset.map(
    lambda row: {**row, "targets": row["targets"][:-1]},
    num_parallel_calls=tf.data.AUTOTUNE,
  )


@dataclass(frozen=True)
class AddLossGroup:
  """A preprocessor: marks all target tokens as of one group.

  It follows all that changes targets, so that their end is marked too.

  Attributes:
    group: The group.
    view: In front of the features' names: '', or `loss_groups.SECOND`.
    prefix: The task's prefix, whose tokens begin the target, in the group
      `loss_groups.PREFIX`, where `prefixes` says that the decoder reads it.
  """

  group: int
  view: str = ""
  prefix: str = ""

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples with `loss_groups`, int32 of targets' shape."""
    given = prefixes.before_target(self.prefix)

    def mark(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
      targets = example[f"{self.view}targets"]
      groups = tf.fill(tf.shape(targets), self.group)
      if given:
        targets = tf.concat([given, targets], 0)
        groups = tf.concat([[loss_groups.PREFIX] * len(given), groups], 0)
      return {
        **example,
        f"{self.view}targets": targets,
        self.view + loss_groups.FEATURE: groups,
      }

    return dataset.map(mark, num_parallel_calls=tf.data.AUTOTUNE)


def in_tokens(
  group: int,
  *to_text: Preprocessor,
  tokens: Sequence[Preprocessor] = (),
  prefix: str = "",
) -> Sequence[Preprocessor]:
  """Returns a view's preprocessors, up to tokens with their loss groups.

  Args:
    group: The group of all target tokens.
    *to_text: From records to `inputs` and `targets`.
    tokens: What is done to the tokens before their end is appended.
    prefix: The task's prefix, for `AddLossGroup`.
  """
  end, mark = seqio.preprocessors.append_eos, AddLossGroup(group, prefix=prefix)
  join = joined_targets.join_rows
  return (*to_text, tokenize, *tokens, end, mark, join)
