"""The side of the model that reads the prefix of a step-by-step task.

A prefix such as '[label] ' stands in front of the input, or its tokens are the
first tokens of the target: `PREFIX_SIDE`. On the decoder's side they are given
(they have no loss and are not decoded), and label and rationale have the same
input, so that one example with both targets is encoded once.
"""

import gin
import seqio
import tensorflow as tf

from distill.data import vocabulary
from distill.errors import require
from distill.loss_groups import FEATURE, PREFIX, SECOND

SIDES = ("input", "decoder")
Row = dict[str, tf.Tensor]
# In `loss_groups`, the group of a token of an example's n-th target (from 0) is
# stored as group + n · STRIDE.
STRIDE = PREFIX + 1


@gin.register
def prefix_side(side: str = "input") -> str:
  """Returns `side`, to which gin binds the macro PREFIX_SIDE.

  Raises:
    UserError: It is not one of `SIDES`.
  """
  expected = " or ".join(map(repr, SIDES))
  require("PREFIX_SIDE", side, side in SIDES, expected)
  return side


def on_decoder() -> bool:
  """Returns whether prefixes are read by the decoder, by gin at this moment."""
  return gin.get_configurable(prefix_side)() == "decoder"


def before_input(prefix: str) -> str:
  """Returns what stands in front of the input: the prefix, or ''."""
  return "" if on_decoder() else prefix


def before_target(prefix: str) -> list[int]:
  """Returns the tokens that stand in front of the target: none, or the prefix.

  Raises:
    UserError: Gin names no vocabulary, or its file cannot be read.
  """
  if not prefix or not on_decoder():
    return []
  return list(vocabulary.ModelVocabulary().encode(prefix))


def input_forms(provider: seqio.Task | seqio.Mixture) -> dict[str, str]:
  """Returns what each task makes of an input, which `…` stands for.

  A paired task has its two views under two names. Tasks without a preprocessor
  that has the method `forms` are left out.
  """
  return {
    ", ".join(filter(None, (task.name, view))): form
    for task in seqio.get_subtasks(provider)
    for step in task.preprocessors
    if hasattr(step, "forms")
    for view, form in step.forms().items()
  }


def join_targets(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns pairs as examples of one input and both targets.

  A preprocessor. It changes nothing if the prefix stands in the input.
  `targets` becomes the label's tokens followed by the rationale's,
  `loss_groups` has their groups and numbers, and the features of the second
  view become empty. A target that is only the end of sequence is left out.
  """
  if not on_decoder():
    return dataset

  def join(row: Row) -> Row:
    targets, groups = zip(
      *(_numbered(row, view, n) for n, view in enumerate(("", SECOND))),
      strict=True,
    )
    empty = {name: tokens[:0] for name, tokens in row.items() if _second(name)}
    return {
      **row,
      **empty,
      "targets": tf.concat(targets, 0),
      FEATURE: tf.concat(groups, 0),
    }

  return dataset.map(join, num_parallel_calls=tf.data.AUTOTUNE)


def _second(name: str) -> bool:
  """Returns whether a feature is the tokens or the groups of a second view."""
  names = ("inputs", "targets", FEATURE)
  return name.startswith(SECOND) and name.removeprefix(SECOND) in names


def _numbered(row: Row, view: str, number: int) -> tuple[tf.Tensor, tf.Tensor]:
  """Returns the tokens of a view's target and their numbered groups."""
  tokens, groups = row[f"{view}targets"], row[view + FEATURE]
  own = tf.reduce_sum(tf.cast(groups != PREFIX, tf.int32))
  size = tf.where(own > 1, tf.size(tokens), 0)
  return tokens[:size], groups[:size] + number * STRIDE
