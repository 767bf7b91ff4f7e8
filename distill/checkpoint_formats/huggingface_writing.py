"""Weights as a folder that transformers and CTranslate2 read."""

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import safetensors.numpy

from distill import errors
from distill.checkpoint_formats import (
  huggingface,
  huggingface_config,
  huggingface_names,
  network_sizes,
  writing,
)
from distill.checkpoint_formats.tensors import Checkpoint, Tensor

# transformers' own limit; what is in memory at once.
_SHARD_BYTES = 5_000_000_000


def write(
  checkpoint: Checkpoint,
  folder: pathlib.Path,
  activations: tuple[str, ...],
  max_new_tokens: int | None = None,
  shard_bytes: int = _SHARD_BYTES,
) -> None:
  """Writes weights, config.json and generation_config.json into a folder.

  Args:
    checkpoint: The weights.
    folder: One that exists.
    activations: `T5Config.mlp_activations` of the network.
    max_new_tokens: The longest output, None leaves it to transformers.
    shard_bytes: More than that are split into several files.

  Raises:
    UserError: Hugging Face's T5 has no such parameters or activations.
  """
  theirs = dict(_renamed(checkpoint))
  embedding = theirs[huggingface_names.EMBEDDING]
  shapes = {name: t.shape for name, t in checkpoint.tensors.items()}
  config = huggingface_config.config_json(
    network_sizes.sizes(shapes),
    activations,
    embedding.dtype.name,
    checkpoint.config_json,
  )
  generation = {
    name: config[name]
    for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id")
  }
  if max_new_tokens:
    generation["max_new_tokens"] = max_new_tokens
  write_json(folder / huggingface.CONFIG, config)
  write_json(folder / "generation_config.json", generation)
  _write_weights(theirs, folder, shard_bytes)


def write_json(path: pathlib.Path, value: Any) -> None:
  """Writes a value as indented JSON."""
  path.write_text(json.dumps(value, indent=2) + "\n")


def _renamed(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
  for name, tensor in checkpoint.tensors.items():
    known = huggingface_names.to_huggingface(name)
    if known is None:
      raise errors.UserError(
        f"'{name}' in '{checkpoint.path}' is no parameter of a T5.",
        expected="the parameters of T5.1.0 or T5.1.1",
        found=f"{name} {tensor.shape}",
        remedy="convert the checkpoint of such a network",
      )
    yield known[0], tensor.transposed() if known[1] else tensor


def _write_weights(
  theirs: dict[str, Tensor], folder: pathlib.Path, shard_bytes: int
) -> None:
  """Writes one file, or several and an index of them."""
  shards: list[list[str]] = [[]]
  sizes = {
    n: int(np.prod(t.shape)) * t.dtype.itemsize for n, t in theirs.items()
  }
  held = 0
  for name, size in sizes.items():
    if shards[-1] and held + size > shard_bytes:
      shards.append([])
      held = 0
    shards[-1].append(name)
    held += size
  weight_map: dict[str, str] = {}
  for i, names in enumerate(shards, start=1):
    file = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
    file = huggingface.WEIGHTS if len(shards) == 1 else file
    arrays = {
      name: np.ascontiguousarray(writing.read_whole(theirs[name]))
      for name in names
    }
    # transformers wants to know which framework's layout it is.
    safetensors.numpy.save_file(arrays, folder / file, {"format": "pt"})
    weight_map |= dict.fromkeys(names, file)
  if len(shards) > 1:
    total = {"total_size": sum(sizes.values())}
    index = {"metadata": total, "weight_map": weight_map}
    write_json(folder / huggingface.INDEX, index)
