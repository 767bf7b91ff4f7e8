"""Global training batches from SeqIO, the same for any number of hosts.

Every host reads the whole stream and later keeps its own rows, so that the
sequence of batches is a function of data, seed and step only. A position in
it, saved by one number of hosts, is read by another.
"""

import base64
import contextlib
import dataclasses
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import seqio
import tensorflow as tf
from absl import logging

from distill import errors
from distill.data import (
  dataset_checks,
  feature_converters,
  joined_targets,
  packing,
  prefixes,
  registration,
  sources,
  token_table,
)
from distill.data.selection import current_selection
from distill.data.vocabulary import identity as vocabulary_identity
from distill.errors import PositiveInt

# `seed=None` means this and never the clock: a restart reads the same batches.
DEFAULT_SEED = 0

_PREFETCHED_BATCHES = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetConfig:
  """What to read, by T5X's names.

  Attributes:
    mixture_or_task_name: A registered SeqIO task or mixture.
    task_feature_lengths: `inputs` and `targets`, in tokens.
    split: The split to read.
    batch_size: Rows of the global batch.
    shuffle: Whether to shuffle the examples.
    seed: Of shuffling and mixing; None is `DEFAULT_SEED`.
    pack: Whether several examples share a row: in the order of the stream, as
      T5X packs them, or by 'best_fit', with less padding.
    use_cached: Whether to read SeqIO's offline cache.
    module: A module to import first, which registers the task.
    truncate: Whether targets longer than their length may be cut.
  """

  mixture_or_task_name: str
  task_feature_lengths: Mapping[str, PositiveInt]
  split: str
  batch_size: PositiveInt
  shuffle: bool
  seed: int | None = None
  pack: bool | str = False
  use_cached: bool = False
  module: str | None = None
  truncate: bool = False

  def provider(self) -> seqio.Task | seqio.Mixture:
    """Returns the task or mixture.

    Raises:
      UserError: Its name, its split or its feature lengths are wrong.
    """
    provider = registration.get_mixture_or_task(
      self.mixture_or_task_name, self.module
    )
    dataset_checks.check_split(provider, self.split)
    if self.use_cached:
      dataset_checks.check_cached(provider)
    lengths = dict(self.task_feature_lengths)
    errors.require(
      *("TASK_FEATURE_LENGTHS", lengths, set(lengths) == {"inputs", "targets"}),
      expected="{'inputs': …, 'targets': …}",
    )
    errors.require(
      *("PACK", self.pack, self.pack in (False, True, packing.BEST_FIT)),
      expected=f"True, False or '{packing.BEST_FIT}'",
    )
    for cannot, setting, is_set in (
      (
        "prefixes in the decoder",
        "PREFIX_SIDE = 'decoder'",
        prefixes.on_decoder,
      ),
      ("shared inputs", "SHARE_INPUTS = True", joined_targets.shares_inputs),
    ):
      if self.pack == packing.BEST_FIT and is_set():
        raise errors.UserError(
          f"PACK = '{packing.BEST_FIT}' cannot pack {cannot}.",
          expected=f"PACK = True, with {setting}",
          remedy="set --gin.PACK=True",
        )
    return provider

  def check_examples(self, provider: seqio.Task | seqio.Mixture) -> str:
    """Returns `dataset_checks.check_examples` of a task or mixture."""
    lengths = self.task_feature_lengths
    return dataset_checks.check_examples(
      provider, self.split, lengths, self.use_cached, self.truncate
    )


def check_model(config: DatasetConfig, model: Any) -> None:
  """Checks that the data is in the model's tokens.

  Args:
    config: The data.
    model: An `EncoderDecoderModel`; one that names no vocabularies is checked
      for its size.

  Raises:
    UserError: A task has another vocabulary, or more tokens than the model.
  """
  provider = config.provider()
  if model.input_vocabulary is not None:
    dataset_checks.check_same_vocabulary(
      provider, model.input_vocabulary, model.output_vocabulary
    )
  dataset_checks.check_vocabulary(provider, model.module.config.vocab_size)


class TrainBatches(Iterator[Mapping[str, np.ndarray]]):
  """Endless global batches of `[batch, length]` int32 arrays by T5X's names.

  Raises:
    UserError: On construction, if the dataset is unknown, empty or does not
      fit its feature lengths.
  """

  def __init__(self, config: DatasetConfig) -> None:
    self._config = config
    self._seed = DEFAULT_SEED if config.seed is None else config.seed
    self._provider = config.provider()
    self._selection = current_selection()
    with reading(config):
      looked_at = config.check_examples(self._provider)
    self._rewind()
    self._content = self._content_of_tasks() | {"examples_sha256": looked_at}

  def _content_of_tasks(self) -> dict[str, Any]:
    """Returns what the tokens of the data come from."""
    tasks = dataset_checks.tasks_read(self._provider, self._config.split)
    return {
      "vocabularies": {
        f"{task.name}/{feature}": vocabulary_identity(vocabulary)
        for task, feature, vocabulary in dataset_checks.text_features(
          self._provider
        )
      },
      "sources": {
        task.name: task.source.content(self._config.split)
        for task in tasks
        if isinstance(task.source, sources.DatasetSource)
      },
    }

  def _rewind(self) -> None:
    self._batches = 0
    # A second iterator over one dataset object would shuffle otherwise.
    with quiet_seqio():
      dataset = self._build()
    options = tf.data.Options()
    options.deterministic = True
    self._iterator = iter(
      dataset.prefetch(_PREFETCHED_BATCHES).with_options(options)
    )
    self._packer = None
    if self._config.pack == packing.BEST_FIT:
      lengths = self._config.task_feature_lengths
      self._packer = packing.BestFit(lengths, self._iterator)

  def _build(self) -> tf.data.Dataset:
    """Returns batches, or the blocks of examples that are to be packed."""
    config = self._config
    lengths, split = config.task_feature_lengths, config.split
    order = config.shuffle, self._seed
    converter = feature_converters.LossGroupFeatureConverter(pack=config.pack)
    table = batches = None
    if not config.use_cached:
      table = token_table.read(self._provider, split, lengths, config.shuffle)
    self._from_table = table is not None
    if table and not config.pack:
      batches = table.batches(converter, config.batch_size, *order)
    if batches is None:
      examples = (
        table.examples(*order)
        if table
        else self._provider.get_dataset(
          lengths,
          split=split,
          use_cached=config.use_cached,
          shuffle=config.shuffle,
          seed=self._seed,
          num_epochs=None,
          # The cache would be saved with each position.
          try_in_mem_cache=False,
        )
      )
      rows = converter(examples, lengths)
      batches = rows.batch(config.batch_size, drop_remainder=True)
    spec = batches.element_spec
    self._shapes = {name: tuple(spec[name].shape) for name in spec}
    if config.pack == packing.BEST_FIT:
      return packing.blocks(examples)
    return batches

  @property
  def shapes(self) -> dict[str, tuple[int, ...]]:
    """The shape of each array of a batch, by name."""
    return self._shapes

  def __next__(self) -> Mapping[str, np.ndarray]:
    with reading(self._config):
      if self._packer:
        batch = self._packer.batch(self._config.batch_size)
      else:
        tensors = next(self._iterator)
        batch = {name: tensor.numpy() for name, tensor in tensors.items()}
    self._batches += 1
    return batch

  def position(self) -> dict[str, Any]:
    """Returns, as a JSON value, the place after the last batch returned."""
    position = {
      "batches": self._batches,
      "dataset": self._identity(),
      "from_table": self._from_table,
      "iterator": pack_iterator(self._iterator),
    }
    return position | (
      {"waiting": self._packer.waiting} if self._packer else {}
    )

  def restore(self, position: Mapping[str, Any]) -> None:
    """Goes to a position, so that the next batch is the one after it.

    Where the saved iterator does not fit this dataset or TensorFlow, the
    batches are read again and dropped; the log says so.
    """
    if self._batches:
      self._rewind()
    changed = self._changes(position["dataset"])
    same_form = position.get("from_table", False) == self._from_table
    if (
      not changed
      and same_form
      and unpack_iterator(position["iterator"], self._iterator)
    ):
      self._batches = position["batches"]
      if self._packer:
        self._packer.waiting = position["waiting"]
      return
    logging.warning(
      "The saved data iterator %s: reading past %d batches from the start.",
      f"is of another dataset ({', '.join(changed)} changed)"
      if changed
      else "cannot be restored",
      position["batches"],
    )
    self._rewind()
    for _ in range(position["batches"]):
      next(self)

  def _changes(self, saved: Mapping[str, Any]) -> list[str]:
    """Returns which parts of a saved identity are not this dataset's.

    Positions that were saved before the content was part of them have none.
    """
    own = self._identity()
    return sorted(
      name
      for name in own.keys() | saved.keys()
      if own.get(name) != saved.get(name)
      and (name in saved or name not in self._content)
    )

  def _identity(self) -> dict[str, Any]:
    """What the sequence of batches depends on."""
    identity = dataclasses.asdict(self._config) | {"seed": self._seed}
    del identity["module"], identity["truncate"]
    if not self._selection.is_everything:
      identity["selection"] = dataclasses.asdict(self._selection)
    return identity | {
      **self._content,
      "task_feature_lengths": dict(self._config.task_feature_lengths),
    }


@contextlib.contextmanager
def reading(config: DatasetConfig) -> Iterator[None]:
  """Turns damaged or missing files of a dataset into a UserError."""
  try:
    yield
  except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
    raise errors.UserError(
      f"The data of '{config.mixture_or_task_name}', split '{config.split}', "
      "cannot be read.",
      expected="whole TFRecord files",
      found=error.message.splitlines()[0],
      remedy="write its cache again with `distill cache ask`, or fix the file",
    ) from error


@contextlib.contextmanager
def quiet_seqio() -> Iterator[None]:
  """Hides SeqIO's warnings about shuffling and lengths, both handled here."""
  before = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  try:
    yield
  finally:
    logging.set_verbosity(before)


# TensorFlow writes `<prefix>.index` and `<prefix>.data-…` files.
_PREFIX = "iterator"


def pack_iterator(iterator: Iterator[Any]) -> dict[str, Any] | None:
  """Returns the iterator's state as a JSON value, or None if it has none.

  The state covers shuffle buffers, packing and prefetched elements, so that
  the next element is the same after `unpack`. Sources made of Python
  generators cannot be saved; they give None.
  """
  with tempfile.TemporaryDirectory() as folder:
    try:
      tf.train.Checkpoint(iterator=iterator).write(f"{folder}/{_PREFIX}")
    except (tf.errors.UnimplementedError, tf.errors.FailedPreconditionError):
      return None
    files = {}
    for name in sorted(os.listdir(folder)):
      with open(os.path.join(folder, name), "rb") as file:
        files[name] = base64.b64encode(zlib.compress(file.read())).decode()
  return {"tensorflow": tf.__version__, "files": files}


def unpack_iterator(
  state: Mapping[str, Any] | None, iterator: Iterator[Any]
) -> bool:
  """Puts `iterator` where it was packed; False if the state does not fit.

  The caller answers for the iterator coming from the same dataset
  definition. After False the iterator is in an undefined place.
  """
  if state is None or state["tensorflow"] != tf.__version__:
    return False
  with tempfile.TemporaryDirectory() as folder:
    for name, text in state["files"].items():
      with open(os.path.join(folder, os.path.basename(name)), "wb") as file:
        file.write(zlib.decompress(base64.b64decode(text)))
    try:
      checkpoint = tf.train.Checkpoint(iterator=iterator)
      checkpoint.read(f"{folder}/{_PREFIX}").assert_consumed()
    except (tf.errors.OpError, AssertionError):
      return False
  return True
