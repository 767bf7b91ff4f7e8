"""Controls: step-by-step on rationales that say nothing of their example.

They show whether the content of rationales helps, or only their presence.
"""

from dataclasses import dataclass

import seqio
import tensorflow as tf

from distill.data.views import Row


@dataclass(frozen=True)
class TargetsOfOthers:
  """A preprocessor: each example gets the target of the one before it.

  The first of every `window` examples gets that of the last.
  """

  window: int = 1000

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples in their order, with each other's targets."""

    def roll(rows: Row) -> Row:
      return {**rows, "targets": tf.roll(rows["targets"], shift=1, axis=0)}

    return dataset.batch(self.window).map(roll).unbatch()


@dataclass(frozen=True)
class PermutedTokens:
  """A preprocessor: target tokens in an order that only the `id` decides."""

  def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the examples, each with the tokens that it had."""

    def permute(row: Row) -> Row:
      number = tf.strings.to_hash_bucket_fast(row["id"], 2**31 - 1)
      shuffle = tf.random.experimental.stateless_shuffle
      targets = shuffle(row["targets"], seed=tf.stack([number, 0]))
      return {**row, "targets": targets}

    return dataset.map(permute, num_parallel_calls=tf.data.AUTOTUNE)


def register_controls(name: str) -> None:
  """Registers two more mixtures of a family that is registered.

  `<name>_step_by_step_shuffled` pairs the label task with
  `<name>_rationale_shuffled`, rationales of other examples, and
  `<name>_step_by_step_permuted` with `<name>_rationale_permuted`, an example's
  own rationale with its tokens permuted.
  """
  task = seqio.TaskRegistry.get(f"{name}_rationale")
  to_text, tokenize, append_eos, group = task.preprocessors
  controls = {
    "shuffled": (to_text, TargetsOfOthers(), tokenize, append_eos, group),
    "permuted": (to_text, tokenize, PermutedTokens(), append_eos, group),
  }
  for kind, steps in controls.items():
    control = f"{name}_rationale_{kind}"
    seqio.TaskRegistry.add_provider(
      control, task.replace(name=control, preprocessors=steps)
    )
    seqio.MixtureRegistry.add(
      f"{name}_step_by_step_{kind}", [f"{name}_label", control], 1.0
    )
