"""Reads and writes a Hugging Face folder of a T5, in one or more shards."""

import json
import os
import pathlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import ml_dtypes  # noqa: F401 - lets NumPy know bfloat16 by name
import numpy as np
import safetensors.numpy
from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface_names
from distill.checkpoint_formats.tensors import Checkpoint, Index, Tensor, sizes

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
# Copies of the shared embedding in old files.
_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
# A mistake in the files of T5.1.0, which transformers also ignores.
_UNUSED = (
  "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
)
_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_COMPARED_ROWS = 4096
# The default of transformers. One shard is in memory at a time.
_SHARD_BYTES = 5_000_000_000


def is_folder(folder: epath.Path) -> bool:
  """Returns whether a folder has weights in Hugging Face's format."""
  return any((folder / name).exists() for name in (WEIGHTS, INDEX, *_PICKLES))


def read(folder: epath.Path) -> Checkpoint:
  """Opens a folder with config.json and safetensors.

  Raises:
    UserError: A file is missing, incomplete or not safetensors, the model has
      no decoder, or T5 has no such output layer.
  """
  _check_local(folder)
  config = _json(folder / CONFIG)
  theirs = _weights(folder)
  _check_decoder(theirs, folder)
  theirs.pop(_UNUSED, None)
  scaled = huggingface_names.scales_logits(config)
  _drop_copies(theirs, folder, scaled)
  return Checkpoint(
    path=str(folder),
    format="Hugging Face's format",
    tensors=_renamed(theirs),
    declared=huggingface_names.declared(config),
    config_json=config,
  )


def _check_local(folder: epath.Path) -> None:
  if "://" in os.fspath(folder):
    raise errors.UserError(
      f"'{folder}' is a Hugging Face folder that is not on this machine.",
      expected="a local folder, as safetensors maps its files",
      found=os.fspath(folder),
      remedy="copy it to a disk, or convert it with `distill convert "
      "--format=t5x` and put that on gs://",
    )
  pickles = [name for name in _PICKLES if (folder / name).exists()]
  weights = [name for name in (WEIGHTS, INDEX) if (folder / name).exists()]
  if pickles and not weights:
    raise errors.UserError(
      f"'{folder / pickles[0]}' is a pickle, which can run any code when it is "
      "read.",
      expected=WEIGHTS,
      found=pickles[0],
      remedy="where you trust it, convert it with transformers: "
      f"T5ForConditionalGeneration.from_pretrained('{folder}')"
      ".save_pretrained('NEW_FOLDER')",
    )


def _json(file: epath.Path) -> dict[str, Any]:
  try:
    content = json.loads(file.read_text())
    if isinstance(content, dict):
      return content
    found = f"a {type(content).__name__}"
  except (OSError, ValueError) as error:
    found = str(error)
  raise errors.UserError(
    f"'{file}' cannot be read.",
    expected="a JSON file with an object",
    found=found,
    remedy="copy the folder again",
  )


def _weights(folder: epath.Path) -> dict[str, Tensor]:
  """Returns the arrays of a folder by Hugging Face's names.

  A single file takes precedence over an index, as in transformers.
  """
  if (folder / WEIGHTS).exists():
    return _tensors(folder / WEIGHTS)
  weight_map = _json(folder / INDEX).get("weight_map")
  if not isinstance(weight_map, dict) or not all(
    isinstance(name, str) and os.path.basename(name) == name
    for name in weight_map.values()
  ):
    raise errors.UserError(
      f"'{folder / INDEX}' is not an index of safetensors files.",
      expected="a weight_map from each tensor to a file in this folder",
      found=f"weight_map = {str(weight_map)[:200]}",
      remedy="download it again",
    )
  found: dict[str, Tensor] = {}
  for name in sorted(set(weight_map.values())):
    if (folder / name).exists():
      wanted = {tensor for tensor, file in weight_map.items() if file == name}
      found |= _tensors(folder / name, wanted)
  if lost := [name for name in weight_map if name not in found]:
    files = sorted({weight_map[name] for name in lost})
    raise errors.UserError(
      f"'{folder / INDEX}' names tensors that are not there.",
      expected=", ".join(f"{name} in {weight_map[name]}" for name in lost[:5]),
      found=f"{len(lost)} of {len(weight_map)} are not there, of the files "
      + ", ".join(files),
      remedy="download the index and all files again, from one revision",
    )
  return found


def _check_decoder(theirs: Mapping[str, Tensor], folder: epath.Path) -> None:
  if not any(name.startswith("decoder.") for name in theirs):
    raise errors.UserError(
      f"'{folder}' has no decoder.",
      expected="an encoder-decoder T5, such as T5ForConditionalGeneration",
      found="an encoder only" if theirs else "no tensor",
      remedy="take the whole model that this encoder is from",
    )


def _tensors(
  file: epath.Path, wanted: Collection[str] | None = None
) -> dict[str, Tensor]:
  """Returns the arrays of a file by Hugging Face's names.

  Args:
    file: A safetensors file.
    wanted: The names of the arrays; None for all.
  """
  try:
    # The file stays mapped as long as one of its arrays is in use.
    opened = safetensors.safe_open(os.fspath(file), framework="np")
  except safetensors.SafetensorError as error:
    raise _damaged(file, error) from error

  def tensor(name: str) -> Tensor:
    stored = opened.get_slice(name)
    shape, code = tuple(stored.get_shape()), stored.get_dtype()
    if code not in _DTYPES:
      raise errors.UserError(
        f"'{name}' in '{file}' has a type that is not read.",
        expected=" or ".join(_DTYPES),
        found=code,
        remedy="take the unquantised weights",
      )

    def part(index: Index) -> np.ndarray:
      return opened.get_slice(name)[index]

    return Tensor(shape, np.dtype(_DTYPES[code]), f"{file}: {name}", part)

  names = opened.keys()
  return {n: tensor(n) for n in names if wanted is None or n in wanted}


def _damaged(file: epath.Path, error: Exception) -> errors.UserError:
  """Returns the error for a damaged file, with its size if that is wrong."""
  found = f"{file.stat().length:,} bytes: {error}"
  with file.open("rb") as stream:
    size = int.from_bytes(stream.read(8), "little")
    header = stream.read(min(size, 100_000_000))
  expected = "a whole safetensors file"
  if b"git-lfs" in header:
    found = "a pointer of Git LFS: `git lfs pull` fetches the file"
  elif len(header) == size and (ends := re.findall(rb",(\d+)\]", header)):
    whole = 8 + size + max(map(int, ends))
    expected = f"{whole:,} bytes, as its header says"
  return errors.UserError(
    f"'{file}' is damaged or was not downloaded to its end.",
    expected=expected,
    found=found,
    remedy="download it again",
  )


def _drop_copies(
  theirs: dict[str, Tensor], folder: epath.Path, scaled: bool
) -> None:
  """Removes copies of the embedding, and adds the output layer of T5.1.1.

  T5.1.0 scales its logits and computes them from the shared embedding. T5.1.1
  has an output layer. transformers leaves it out of the file if it is equal to
  the embedding.
  """
  shared = theirs.get(huggingface_names.EMBEDDING)
  if shared is None:
    shared = next((theirs[name] for name in _COPIES if name in theirs), None)
    if shared is None:
      return  # `loading.check` reports the missing parameter.
    theirs[huggingface_names.EMBEDDING] = shared
  logits = (huggingface_names.LOGITS,) if scaled else ()
  for name in (*_COPIES, *logits):
    copy = theirs.pop(name, None)
    if copy is not None and copy is not shared and not _equal(copy, shared):
      raise errors.UserError(
        f"'{name}' in '{folder}' is not the shared embedding.",
        expected=f"the values of {huggingface_names.EMBEDDING}, as config.json "
        "says that they are tied",
        found="other values",
        remedy="correct tie_word_embeddings in config.json: false for T5.1.1, "
        "FLAN, ByT5 and mT5",
      )
  if not scaled:
    theirs.setdefault(huggingface_names.LOGITS, shared)


def _equal(left: Tensor, right: Tensor) -> bool:
  if left.shape != right.shape:
    return False
  rows = range(0, left.shape[0], _COMPARED_ROWS)
  parts = [(slice(row, row + _COMPARED_ROWS),) for row in rows]
  return all(np.array_equal(left.read(p), right.read(p)) for p in parts)


def _renamed(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
  """Returns the arrays by T5X's names; unknown arrays keep their names."""
  ours = {}
  for name, tensor in theirs.items():
    to, transposed = huggingface_names.from_huggingface(name) or (name, False)
    ours[to] = tensor.transposed() if transposed else tensor
  return ours


def write(
  checkpoint: Checkpoint,
  folder: pathlib.Path,
  activations: tuple[str, ...],
  max_new_tokens: int | None = None,
  shard_bytes: int = _SHARD_BYTES,
) -> None:
  """Writes weights, config.json and generation_config.json into a folder.

  transformers and CTranslate2 read this folder.

  Args:
    checkpoint: The weights.
    folder: A folder that exists.
    activations: `T5Config.mlp_activations` of the network.
    max_new_tokens: The longest output in tokens; None for transformers'
      default.
    shard_bytes: The limit on the size of a file.

  Raises:
    UserError: Hugging Face's T5 has no such parameters or activations, or a
      weight is not finite.
  """
  theirs = dict(_exported(checkpoint))
  embedding = theirs[huggingface_names.EMBEDDING]
  shapes = {name: t.shape for name, t in checkpoint.tensors.items()}
  config = huggingface_names.config_json(
    sizes(shapes),
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
  write_json(folder / CONFIG, config)
  write_json(folder / "generation_config.json", generation)
  _write_weights(theirs, folder, shard_bytes)


def write_json(path: pathlib.Path, value: Any) -> None:
  """Writes a value as indented JSON."""
  path.write_text(json.dumps(value, indent=2) + "\n")


def _exported(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
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
  """Writes one file, or several files and their index."""
  shards: list[list[str]] = [[]]
  lengths = {
    n: int(np.prod(t.shape)) * t.dtype.itemsize for n, t in theirs.items()
  }
  held = 0
  for name, size in lengths.items():
    if shards[-1] and held + size > shard_bytes:
      shards.append([])
      held = 0
    shards[-1].append(name)
    held += size
  weight_map: dict[str, str] = {}
  for i, names in enumerate(shards, start=1):
    file = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
    file = WEIGHTS if len(shards) == 1 else file
    arrays = {
      name: np.ascontiguousarray(theirs[name].read_finite()) for name in names
    }
    # transformers requires the name of the framework.
    safetensors.numpy.save_file(arrays, folder / file, {"format": "pt"})
    weight_map |= dict.fromkeys(names, file)
  if len(shards) > 1:
    total = {"total_size": sum(lengths.values())}
    index = {"metadata": total, "weight_map": weight_map}
    write_json(folder / INDEX, index)
