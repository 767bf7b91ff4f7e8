"""Predictions of a trained model, or its scores of targets.

`restore` reads the parameters, `Predictor` runs them on a mesh, and
`write_predictions` writes a JSONL file per task.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import optax
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

from distill import errors
from distill.checkpoint_formats import loading, model_card
from distill.data import feature_converters, pipeline, prefixes
from distill.model.decoding import UNFILLED
from distill.training import state
from distill.training.mesh import Partitioner

# The features that decoding reads; of the second one only its shape.
_INPUTS = ("encoder_input_tokens", "decoder_input_tokens")
_TARGETS = ("decoder_target_tokens", "decoder_loss_weights")
# Of those that some examples have, see `feature_converters`.
_PREFIX, _SEGMENTS = "decoder_prefix_tokens", "decoder_segment_ids"

# The shortest inputs, in tokens, that decoding has a program of its own for.
SHORTEST = 64
# Batches whose examples are put together by length; results wait for them.
_WINDOW = 16

Example = Mapping[str, np.ndarray]
# Called with the task's name, the examples done, and how many there are.
OnProgress = Callable[[str, int, int], None]


def restore(
  model: Any,
  config: pipeline.DatasetConfig,
  partitioner: Partitioner,
  path: str,
) -> tuple[Any, str]:
  """Returns parameters on the mesh, and the checkpoint they are from.

  Args:
    model: The model.
    config: The data that it will get.
    partitioner: The mesh.
    path: A checkpoint of any format, or a MODEL_DIR: the best, or else the
      newest in it.

  Raises:
    UserError: There is no checkpoint, it is damaged or of another model, the
      data has another vocabulary or a larger one, or the run that wrote the
      checkpoint had another PREFIX_SIDE.
  """
  pipeline.check_model(config, model)
  partitioner.check_batch(config.batch_size)
  checkpoint = loading.open_checkpoint(path)
  _check_prefix_side(checkpoint.path)
  lengths = config.task_feature_lengths
  shapes = {
    f"{name}_tokens": (config.batch_size, lengths[feature])
    for name, feature in (
      ("encoder_input", "inputs"),
      ("decoder_input", "targets"),
      ("decoder_target", "targets"),
    )
  }
  abstract = state.abstract_state(model, optax.identity(), partitioner, shapes)
  params, _ = loading.load_params(
    checkpoint, abstract.params, model.module.config
  )
  return params, checkpoint.path


def _check_prefix_side(checkpoint: str) -> None:
  """Raises UserError if the run that wrote a checkpoint had another side."""
  now = "decoder" if prefixes.on_decoder() else "input"
  trained = model_card.TrainingRecord(checkpoint).prefix_side() or now
  if trained != now:
    raise errors.UserError(
      f"The student of '{checkpoint}' reads its task's prefix elsewhere.",
      expected=f"PREFIX_SIDE = '{trained}', as in the run's config.gin",
      found=f"'{now}'",
      remedy=f"set --gin.PREFIX_SIDE=\"'{trained}'\"",
    )


class Predictor:
  """A model's decoder and its scorer, for batches of one shape.

  Raises:
    UserError: On construction, if the batch does not divide by the mesh.
  """

  def __init__(
    self, model: Any, partitioner: Partitioner, batch_size: int
  ) -> None:
    partitioner.check_batch(batch_size)
    self._partitioner = partitioner
    self._batch_size = batch_size
    # Replicated, so that every host has every prediction.
    self._decode = jax.jit(
      lambda params, batch: model.decode_batch(params, batch)[:2],
      out_shardings=partitioner.replicated,
    )
    self._score = jax.jit(
      model.score_batch, out_shardings=partitioner.replicated
    )

  def decode(
    self, params: Any, examples: Iterable[Example]
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each example's decodes, the best first, and their scores.

    Rows that fill up the last batch are empty, and decoding skips them.

    Args:
      params: The model's parameters, on the mesh.
      examples: Unpacked model features, all of the same lengths.

    Returns:
      An iterator of tokens [num_decodes, targets length] and [num_decodes].
    """
    return self._run(self._decode, (*_INPUTS, _PREFIX), params, examples)

  def score(
    self, params: Any, examples: Iterable[Example]
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the log-likelihood of each example's targets, and their tokens."""
    features = (*_INPUTS, *_TARGETS, _SEGMENTS)
    return self._run(self._score, features, params, examples)

  def compile(
    self, program: str, params: Any, shapes: Mapping[str, tuple[int, ...]]
  ) -> Any:
    """Returns JAX's compiled program, which is not run.

    Args:
      program: 'decoding' or 'scoring'.
      params: The parameters' shapes and shardings.
      shapes: The shape of each model feature, [batch, length].
    """
    function, features = {
      "decoding": (self._decode, _INPUTS),
      "scoring": (self._score, _INPUTS + _TARGETS),
    }[program]
    batch = {name: shapes[name] for name in features}
    batch["example_index"] = (self._batch_size,)
    with self._partitioner.context():
      abstract = self._partitioner.abstract_batch(batch)
      return function.lower(params, abstract).compile()

  def _run(
    self,
    function: Callable[..., tuple[jax.Array, jax.Array]],
    features: Sequence[str],
    params: Any,
    examples: Iterable[Example],
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each example's two rows of what `function` gives for batches.

    Examples of several batches are put together by the lengths of their inputs.
    """
    source = enumerate(examples)
    size = _WINDOW * self._batch_size
    while window := list(itertools.islice(source, size)):
      # Of one length, they keep their order.
      window.sort(key=lambda numbered: _padded_length(numbered[1]))
      found = dict(self._run_batches(function, features, params, window))
      yield from (found[number] for number in sorted(found))

  def _run_batches(
    self,
    function: Callable[..., tuple[jax.Array, jax.Array]],
    features: Sequence[str],
    params: Any,
    numbered: Sequence[tuple[int, Example]],
  ) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Yields the number of each example and its two rows.

    A batch is read from the device after the next one is dispatched.
    """
    waiting: tuple[Any, Sequence[int]] | None = None
    for start in range(0, len(numbered) + self._batch_size, self._batch_size):
      some = numbered[start : start + self._batch_size]
      dispatched = None
      if some:
        numbers, rows = zip(*some, strict=True)
        there = [name for name in features if name in rows[0]]
        batch = {name: self._stack(rows, name) for name in there}
        length = max(map(_padded_length, rows))
        batch[_INPUTS[0]] = batch[_INPUTS[0]][:, :length]
        index = np.zeros(self._batch_size, np.int32)
        index[: len(numbers)] = numbers
        batch["example_index"] = index
        with self._partitioner.context():
          found = function(params, self._partitioner.shard_batch(batch))
        dispatched = found, numbers
      if waiting:
        first, second = map(np.asarray, waiting[0])
        yield from zip(
          waiting[1], zip(first, second, strict=True), strict=False
        )
      waiting = dispatched

  def _stack(self, rows: Sequence[Example], name: str) -> np.ndarray:
    stacked = np.stack([row[name] for row in rows])
    return np.pad(stacked, ((0, self._batch_size - len(rows)), (0, 0)))


def _padded_length(example: Example) -> int:
  """Returns the length that an example's inputs are padded to.

  It is the whole length of the inputs, or the shortest half, quarter and so on
  that holds their tokens: each is compiled as a program of its own.
  """
  tokens = example[_INPUTS[0]]
  used = len(np.trim_zeros(tokens, "b"))
  length = len(tokens)
  while length % 2 == 0 and length // 2 >= max(used, SHORTEST):
    length //= 2
  return length


def tasks_to_infer(config: pipeline.DatasetConfig) -> list[seqio.Task]:
  """Returns the tasks that a configuration asks predictions of.

  A task is what it names. Of a mixture these are the tasks with metrics: the
  rationale view is decoded only where it is named itself.

  Raises:
    UserError: The dataset or its split does not exist.
  """
  provider = config.provider()
  if isinstance(provider, seqio.Task):
    return [provider]
  tasks = [t for t in seqio.get_subtasks(provider) if config.split in t.splits]
  return [task for task in tasks if task.metric_fns] or tasks


def output_path(task: seqio.Task, output_dir: str, mode: str) -> epath.Path:
  """Returns where a task's lines of a mode go."""
  return epath.Path(output_dir) / f"{task.name}-{mode}.jsonl"


def check_outputs(
  config: pipeline.DatasetConfig, output_dir: str, mode: str = "predict"
) -> None:
  """Raises UserError if a file of the mode would be overwritten."""
  for task in tasks_to_infer(config):
    path = output_path(task, output_dir, mode)
    if path.exists():
      raise errors.UserError(
        f"Such a file exists already: {path}",
        expected="a new file",
        remedy="move it, or give another INFER_OUTPUT_DIR",
      )


def write_predictions(
  model: Any,
  params: Any,
  config: pipeline.DatasetConfig,
  partitioner: Partitioner,
  output_dir: str,
  on_progress: OnProgress,
  mode: str = "predict",
) -> list[str]:
  """Writes `<task>-<mode>.jsonl` for each task, whole or not at all.

  A line has the example's `id` and `inputs`, and `targets` where they are not
  empty. Of mode 'predict', it has the best `prediction` and its `score`, and
  where there are several, all of them as `decodes`. Of mode 'score', it has the
  `score` of the targets, and how many `tokens` they are.

  Returns:
    The paths, in the order of the tasks.

  Raises:
    UserError: In mode 'score', a target is longer than its feature length.
  """
  predictor = Predictor(model, partitioner, config.batch_size)
  paths = []
  for task in tasks_to_infer(config):
    path = output_path(task, output_dir, mode)
    total = task.num_input_examples(config.split) or 0
    found = lines(predictor, params, task, config, mode)
    write_lines(path, _counted(found, task.name, total, on_progress))
    paths.append(str(path))
  return paths


def _counted(
  found: Iterable[dict[str, Any]],
  task: str,
  total: int,
  on_progress: OnProgress,
) -> Iterator[dict[str, Any]]:
  for number, line in enumerate(found, start=1):
    yield line
    on_progress(task, number, total)


def write_lines(path: epath.Path, found: Iterable[Mapping[str, Any]]) -> None:
  """Writes JSON lines, a whole file or none.

  All hosts read the lines, since they decode together; process 0 writes.
  """
  writes = jax.process_index() == 0
  partial = path.with_suffix(".partial") if writes else epath.Path(os.devnull)
  with partial.open("w", encoding="utf-8") as file:
    for line in found:
      file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
  if writes:
    partial.replace(path)


def lines(
  predictor: Predictor,
  params: Any,
  task: seqio.Task,
  config: pipeline.DatasetConfig,
  mode: str,
) -> Iterator[dict[str, Any]]:
  """Yields the lines of `write_predictions`, in the order of the split."""
  lengths = dict(config.task_feature_lengths)
  converter = feature_converters.LossGroupFeatureConverter(pack=False)
  with pipeline.reading(config):
    if mode == "score":
      config.check_examples(task)
    examples = task.get_dataset(
      lengths, split=config.split, shuffle=False, use_cached=config.use_cached
    )
    pairs = tf.data.Dataset.zip((examples, converter(examples, lengths)))
    # One copy runs ahead by the batches that are being decoded.
    ahead, behind = itertools.tee(tfds.as_numpy(pairs))
    features = (features for _, features in ahead)
    run = predictor.score if mode == "score" else predictor.decode
    vocabulary = task.output_features["targets"].vocabulary
    for number, ((example, _), found) in enumerate(
      zip(behind, run(params, features), strict=False)
    ):
      line = _identity(example, number)
      if mode == "score":
        yield line | {"score": float(found[0]), "tokens": int(found[1])}
      else:
        yield line | _decodes(vocabulary, *found)


def example_id(example: Mapping[str, Any], number: int) -> str | int:
  """Returns an example's id, or its number where its task gives it none."""
  identity = example.get("id", number)
  return identity.decode() if isinstance(identity, bytes) else int(identity)


def _identity(example: Mapping[str, Any], number: int) -> dict[str, Any]:
  line = {
    "id": example_id(example, number),
    "inputs": example["inputs_pretokenized"].decode(),
  }
  if targets := example["targets_pretokenized"].decode():
    line["targets"] = targets
  return line


def _decodes(
  vocabulary: seqio.Vocabulary, tokens: np.ndarray, scores: np.ndarray
) -> dict[str, Any]:
  decodes = [
    {"prediction": vocabulary.decode(ids.tolist()), "score": float(score)}
    for ids, score in zip(tokens, scores, strict=True)
    if score > UNFILLED
  ]
  return decodes[0] | ({"decodes": decodes} if len(decodes) > 1 else {})
