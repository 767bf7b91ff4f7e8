"""What is checked of a training dataset before any step is taken."""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import seqio
import tensorflow as tf
from absl import logging

from distill import errors, loss_groups
from distill.data import sources
from distill.data.vocabulary import difference

# Examples looked at: enough to meet a long one, few enough to take a second.
EXAMPLES_LOOKED_AT = 2000
_TEXTS = ("inputs", "targets")
_FINGERPRINT = "fingerprint"


def check_split(provider: seqio.Task | seqio.Mixture, split: str) -> None:
  """Raises UserError if no task of the provider has the split."""
  if split not in provider.splits:
    raise errors.UserError(
      f"'{provider.name}' has no split '{split}'.",
      expected="one of " + ", ".join(sorted(provider.splits)),
      found=f"'{split}'",
      remedy="correct the split of the dataset's configuration",
    )


def check_cached(provider: seqio.Task | seqio.Mixture) -> None:
  """Raises UserError if a task has no offline cache of `seqio_cache_tasks`."""
  lacking = [t.name for t in seqio.get_subtasks(provider) if not t.cache_dir]
  if lacking:
    raise errors.UserError(
      "There is no offline cache of " + ", ".join(lacking) + ".",
      expected="a finished one, with its file COMPLETED, since USE_CACHED_TASKS"
      " is set",
      found="none in "
      + (", ".join(seqio.get_global_cache_dirs()) or "no folder"),
      remedy="name the folder of seqio_cache_tasks:"
      " --seqio_additional_cache_dirs=FOLDER; or set USE_CACHED_TASKS = False",
    )


def text_features(
  provider: seqio.Task | seqio.Mixture,
) -> Iterator[tuple[seqio.Task, str, seqio.Vocabulary]]:
  """Yields each task of a provider, its features of text, and how each is read.

  Those of a second view are among them, loss groups are not.
  """
  for task in seqio.get_subtasks(provider):
    for feature, spec in task.output_features.items():
      if feature.removeprefix(loss_groups.SECOND) in _TEXTS:
        yield task, feature, spec.vocabulary


def check_vocabulary(
  provider: seqio.Task | seqio.Mixture, vocab_size: int
) -> None:
  """Raises UserError if a token of the data has no embedding in the model."""
  for _, feature, vocabulary in text_features(provider):
    needed = vocabulary.vocab_size
    if needed is not None and needed > vocab_size:
      raise errors.UserError(
        f"The vocabulary of '{provider.name}' is larger than the model's.",
        expected=f"vocab_size of at least {needed}, for feature '{feature}'",
        found=f"vocab_size = {vocab_size}",
        remedy="set VOCABULARY to the model's own, or vocab_size in the "
        "model's gin file",
      )


def check_same_vocabulary(
  provider: seqio.Task | seqio.Mixture,
  input_vocabulary: seqio.Vocabulary,
  output_vocabulary: seqio.Vocabulary,
) -> None:
  """Checks that every task is tokenised with the model's vocabularies.

  They are compared by content: sentinels, which follow all other ids, and the
  path of a file do not count.

  Raises:
    UserError: A feature has another vocabulary, or a file cannot be read.
  """
  for task, feature, vocabulary in text_features(provider):
    is_input = feature.endswith("inputs")
    model = input_vocabulary if is_input else output_vocabulary
    found = difference(model, vocabulary)
    if found:
      raise errors.UserError(
        f"The task '{task.name}' does not have the model's vocabulary.",
        expected=f"{found[0]}, for feature '{feature}'",
        found=found[1],
        remedy="set the gin macro VOCABULARY (VOCABULARY_FILE) to the task's "
        "vocabulary, or give the task's features "
        "distill.data.vocabulary.ModelVocabulary()",
      )


def tasks_read(
  provider: seqio.Task | seqio.Mixture, split: str
) -> list[seqio.Task]:
  """Returns the tasks that have the split, and in a mixture any rate."""
  return [
    task
    for task in seqio.get_subtasks(provider)
    if split in task.splits
    and (provider is task or provider.get_rate(task) > 0)
  ]


def check_examples(
  provider: seqio.Task | seqio.Mixture,
  split: str,
  lengths: Mapping[str, int],
  use_cached: bool,
  truncate: bool,
) -> str:
  """Looks at some untrimmed examples of each task that has any rate.

  Returns:
    The SHA-256, in hex, of their tokens.

  Raises:
    UserError: A task is empty, or targets are longer than their length and
      `truncate` is off: a cut answer would be learnt as if it were whole.
  """
  tasks = tasks_read(provider, split)
  digest = hashlib.sha256()
  said: set[str] = set()
  for task in tasks:
    missing = "" if use_cached else _missing_labels(task, split)
    if missing and missing not in said:
      logging.warning("%s Tasks that learn it leave them out.", missing)
      said.add(missing)
    limit = EXAMPLES_LOOKED_AT // len(tasks)
    found = _looked_at(task, split, lengths, use_cached, limit)
    digest.update(task.name.encode() + found[_FINGERPRINT].tobytes())
    if not found[_FINGERPRINT].size:
      raise errors.UserError(
        f"The split '{split}' of task '{task.name}' is empty.",
        expected="at least one example",
        found=missing or "none after preprocessing",
        remedy="give the rows their gold labels"
        if missing
        else "check the task's source and filters, or its cache",
      )
    for feature, length in lengths.items():
      may_cut = truncate or feature != "targets"
      names = provider.name, task.name
      _check_lengths(names, feature, length, found[feature], may_cut)
  return digest.hexdigest()


def _check_lengths(
  names: tuple[str, str],
  feature: str,
  length: int,
  sizes: np.ndarray,
  may_cut: bool,
) -> None:
  """Warns of examples that are cut, or raises UserError if they may not be."""
  longer, longest = int((sizes > length).sum()), sizes.max()
  if longer and not may_cut:
    raise errors.UserError(
      "Targets of '{}' (task '{}') do not fit.".format(*names),
      expected=f"TASK_FEATURE_LENGTHS['targets'] of at least {longest}, the"
      f" longest of {sizes.size} examples looked at",
      found=f"{length}, which cuts {longer} of them",
      remedy="raise TASK_FEATURE_LENGTHS, or allow the cut with"
      " TRUNCATE_TARGETS = True",
    )
  if longer:
    logging.warning(
      "%s of %d of %d examples looked at in task '%s' are longer than %d "
      "and are cut (longest: %d).",
      *(feature, longer, sizes.size, names[1], length, longest),
    )


def _missing_labels(task: seqio.Task, split: str) -> str:
  """Returns how many rows of a task have no gold label, '' for none."""
  if not isinstance(task.source, sources.DatasetSource):
    return ""
  without, rows = task.source.unlabeled(split)
  what = f"rows of '{task.source.name}' in the split '{split}'"
  return f"{without:,} of {rows:,} {what} have no gold label." * bool(without)


def _looked_at(
  task: seqio.Task,
  split: str,
  lengths: Mapping[str, int],
  use_cached: bool,
  limit: int,
) -> dict[str, np.ndarray]:
  """Returns lengths of each feature in the first `limit` examples, untrimmed.

  Of two views it is the longer one's. Beside them there is a fingerprint of
  each example's tokens.
  """
  dataset = task.get_dataset(
    lengths,
    split=split,
    use_cached=use_cached,
    shuffle=False,
    seed=0,
    trim_output_features=False,
    try_in_mem_cache=False,
  )
  second = loss_groups.SECOND

  @tf.autograph.experimental.do_not_convert
  def look(example: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    views = {
      name: [example[name], example.get(second + name, example[name][:0])]
      for name in lengths
    }
    texts = [
      tf.strings.reduce_join(tf.strings.as_string(view), separator=" ")
      for both in views.values()
      for view in both
    ]
    tokens = tf.strings.join(texts, separator="|")
    return {
      **{name: tf.maximum(*map(tf.size, both)) for name, both in views.items()},
      _FINGERPRINT: tf.strings.to_hash_bucket_fast(tokens, tf.int64.max),
    }

  rows = list(dataset.take(limit).map(look).as_numpy_iterator())
  return {
    name: np.array([row[name] for row in rows])
    for name in (*lengths, _FINGERPRINT)
  }
