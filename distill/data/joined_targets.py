"""Examples with several targets of one input, which is encoded once for all.

The targets stand one after the other in `targets`. `loss_groups` tells them
apart: the group of a token of the n-th target (from 0) is stored as
group + n · STRIDE. `feature_converters` makes each target a decoder segment.

Label and rationale are joined where the decoder reads their prefixes
(`prefixes`). All targets that a view makes of one record are joined where the
macro SHARE_INPUTS says so.
"""

import gin
import tensorflow as tf

from distill.data import prefixes
from distill.errors import require
from distill.loss_groups import FEATURE, PREFIX, SECOND

STRIDE = PREFIX + 1
Row = dict[str, tf.Tensor]
# Whether a row is the last of its record: beside `targets`, until they are
# joined.
_LAST = "is_last"


@gin.register
def share_inputs(wanted: bool = False) -> bool:
  """Returns `wanted`, to which gin binds the macro SHARE_INPUTS.

  Raises:
    UserError: It is neither True nor False.
  """
  require("SHARE_INPUTS", wanted, wanted in (True, False), "True or False")
  return wanted


def shares_inputs() -> bool:
  """Returns whether targets of a record are joined, by gin at this moment."""
  return gin.get_configurable(share_inputs)()


def ends(targets: tf.Tensor) -> Row:
  """Returns what `join_rows` needs of a record's [targets]: which is the last.

  It is empty where nothing is joined.
  """
  count = tf.size(targets)
  return {_LAST: tf.range(1, count + 1) == count} if shares_inputs() else {}


def join_rows(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns one example for all rows of a record, in the place of the last.

  A preprocessor, after the loss groups. It changes nothing if SHARE_INPUTS is
  False. Other features than `targets` and `loss_groups` are those of the last
  row.
  """
  if _LAST not in dataset.element_spec:
    return dataset
  none = tf.zeros([0], tf.int32)
  start = none, none, tf.constant(0)

  def join(
    before: tuple[tf.Tensor, tf.Tensor, tf.Tensor], row: Row
  ) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], Row]:
    targets, groups, number = before
    targets = tf.concat([targets, row["targets"]], 0)
    groups = tf.concat([groups, row[FEATURE] + number * STRIDE], 0)
    kept = tf.where(row[_LAST], 0, tf.size(targets))
    number = tf.where(row[_LAST], 0, number + 1)
    joined = {**row, "targets": targets, FEATURE: groups}
    return (targets[:kept], groups[:kept], number), joined

  def without_mark(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != _LAST}

  rows = dataset.scan(start, join).filter(lambda row: row[_LAST])
  return rows.map(without_mark, num_parallel_calls=tf.data.AUTOTUNE)


def join_pairs(dataset: tf.data.Dataset) -> tf.data.Dataset:
  """Returns pairs as examples of one input and both targets.

  A preprocessor. It changes nothing if the prefix stands in the input.
  `targets` becomes the label's tokens followed by the rationale's,
  `loss_groups` has their groups and numbers, and the features of the second
  view become empty. A target that is only the end of sequence is left out.
  """
  if not prefixes.on_decoder():
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
