"""A table of a training set's examples in tokens, kept in memory.

A small set is read, tokenised and padded once, before the first batch, and not
at every visit of an example. Its *places* (numbers of examples) are repeated,
shuffled and mixed as SeqIO does it with examples. TensorFlow draws by count and
seed alone, so that the examples come in the order that they would have without
a table.

Only this project's tasks have a table. Nothing tells whether preprocessors of
others make the same of an example at every visit.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import seqio
import tensorflow as tf

from distill.data import (
  controls,
  dataset_checks,
  joined_targets,
  prefixes,
  sources,
  views,
)
from distill.loss_groups import SECOND

# An example takes about 0.6 ms of CPU time to read, before the first step.
MOST_EXAMPLES = 10_000
_READ_AT_ONCE = 256

Features = dict[str, tf.Tensor]
# A SeqIO feature converter, called with a dataset and its lengths.
Converter = Callable[[tf.data.Dataset, Mapping[str, int]], tf.data.Dataset]


class TokenTable:
  """The examples of a training set, one task after the other."""

  def __init__(
    self,
    provider: seqio.Task | seqio.Mixture,
    split: str,
    lengths: Mapping[str, int],
  ) -> None:
    """Reads the examples; at most one more than `MOST_EXAMPLES`."""
    self._provider = provider
    self._tasks = dataset_checks.tasks_read(provider, split)
    self._lengths = lengths
    self._counts: list[int] = []
    blocks: list[Mapping[str, tf.RaggedTensor]] = []
    for task in self._tasks:
      left = MOST_EXAMPLES + 1 - self.size
      read = list(_read(task, split, lengths, left))
      self._counts.append(sum(int(one["targets"].nrows()) for one in read))
      blocks += read
    # Concatenated tokens, and where each example's begin and the last's end.
    self._tokens: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}
    for name in blocks[0]:
      sizes = np.concatenate([b[name].row_lengths().numpy() for b in blocks])
      values = np.concatenate([b[name].values.numpy() for b in blocks])
      bounds = np.concatenate([[0], np.cumsum(sizes)])
      self._tokens[name] = tf.constant(values), tf.constant(bounds)

  @property
  def size(self) -> int:
    """The number of examples."""
    return sum(self._counts)

  @tf.autograph.experimental.do_not_convert
  def examples(self, shuffle: bool, seed: int) -> tf.data.Dataset:
    """Returns the endless stream of examples that `get_dataset` would give."""
    return self._places(shuffle, seed).map(self._look_up)

  @tf.autograph.experimental.do_not_convert
  def batches(
    self, converter: Converter, batch_size: int, shuffle: bool, seed: int
  ) -> tf.data.Dataset | None:
    """Returns the endless stream of batches of converted examples.

    Args:
      converter: Makes one row of an example, or two of one with two views.
      batch_size: Rows of a batch.
      shuffle: Whether to shuffle the examples.
      seed: Of shuffling and mixing.

    Returns:
      A dataset of [batch_size, length] features; None if batches do not hold
      whole examples.
    """
    paired = f"{SECOND}inputs" in self._tokens
    each = 2 if paired and not prefixes.on_decoder() else 1
    order = tf.data.Dataset.range(self.size)
    examples = tf.data.Dataset.zip({"inputs": order, "targets": order})
    rows = converter(examples.map(self._look_up), self._lengths)
    whole = rows.batch(self.size * each + 1).get_single_element()
    count = len(whole["decoder_target_tokens"])
    if count != self.size * each or batch_size % each:
      return None
    by_example = {
      name: tf.reshape(value, [self.size, each, value.shape[1]])
      for name, value in whole.items()
    }

    def look_up(places: Features) -> Features:
      batch = {}
      for name, value in by_example.items():
        place = places["inputs" if name.startswith("encoder") else "targets"]
        shape = [batch_size, value.shape[2]]
        batch[name] = tf.reshape(tf.gather(value, place), shape)
      return batch

    places = self._places(shuffle, seed)
    return places.batch(batch_size // each, drop_remainder=True).map(look_up)

  def _places(self, shuffle: bool, seed: int) -> tf.data.Dataset:
    """Returns the stream of places, of an example's inputs and its targets."""
    mixed = []
    first = 0
    for task, count in zip(self._tasks, self._counts, strict=True):
      places = tf.data.Dataset.range(first, first + count).repeat()
      places = tf.data.Dataset.zip({"inputs": places, "targets": places})
      for step in task.preprocessors:
        if not _is_fixed_step(step):
          places = step(places)
      if shuffle:
        places = places.shuffle(task.shuffle_buffer_size, seed=seed)
      mixed.append(places)
      first += count
    provider = self._provider
    if isinstance(provider, seqio.Task):
      return mixed[0]
    rates = [provider.get_rate(task) for task in self._tasks]
    return provider._sample_fn(mixed, rates, seed)

  def _look_up(self, places: Features) -> Features:
    """Returns the tokens of an example."""
    example = {}
    for name, (values, bounds) in self._tokens.items():
      place = places["inputs" if name.endswith("inputs") else "targets"]
      example[name] = values[bounds[place] : bounds[place + 1]]
    return example


@tf.autograph.experimental.do_not_convert
def read(
  provider: seqio.Task | seqio.Mixture,
  split: str,
  lengths: Mapping[str, int],
  shuffle: bool,
) -> TokenTable | None:
  """Returns the table of a small set that is the same in every epoch.

  Args:
    provider: A task or mixture.
    split: The split to read.
    lengths: Of `inputs` and `targets`, which are cut to them.
    shuffle: Whether the examples are to be shuffled.

  Returns:
    The table; None if there are more than `MOST_EXAMPLES`, or the examples or
    their order are not the same in every epoch.
  """
  tasks = dataset_checks.tasks_read(provider, split)
  if not all(_is_fixed(task, split, shuffle) for task in tasks):
    return None
  if sum(task.num_input_examples(split) for task in tasks) > MOST_EXAMPLES:
    return None
  table = TokenTable(provider, split, lengths)
  return table if table.size <= MOST_EXAMPLES else None


def _is_fixed(task: seqio.Task, split: str, shuffle: bool) -> bool:
  """Returns whether a task has the same examples in every epoch."""
  return (
    isinstance(task.source, sources.DatasetSource)
    and task.source.has_fixed_order(split, shuffle)
    and all(
      _is_fixed_step(step) or isinstance(step, controls.TargetsOfOthers)
      for step in task.preprocessors
    )
  )


def _is_fixed_step(step: views.Preprocessor) -> bool:
  """Returns whether a preprocessor of this project goes by single examples.

  It then makes the same of an example at every visit, whatever is around it.
  """
  functions: list[object] = [views.tokenize, views.without_end]
  functions += [controls.filler_tokens, seqio.preprocessors.append_eos]
  functions += [joined_targets.join_pairs, joined_targets.join_rows]
  classes = [views.ToText, views.InPrompt, views.ToPairs]
  classes += [controls.PermutedTokens, views.AddLossGroup]
  return step in functions or type(step) in classes


def _read(
  task: seqio.Task, split: str, lengths: Mapping[str, int], limit: int
) -> Iterator[Mapping[str, tf.RaggedTensor]]:
  """Yields blocks of a task's examples, each with its own targets."""
  steps = [step for step in task.preprocessors if _is_fixed_step(step)]
  dataset = task.replace(preprocessors=steps).get_dataset(
    lengths, split=split, shuffle=False, seed=0, try_in_mem_cache=False
  )
  # Beside tokens and their loss groups there are texts.
  spec = dataset.element_spec
  names = [name for name in spec if spec[name].dtype == tf.int32]
  tokens = dataset.take(limit).map(lambda row: {n: row[n] for n in names})
  yield from tokens.ragged_batch(_READ_AT_ONCE)
