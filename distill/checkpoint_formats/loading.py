"""Opens a checkpoint of any format and loads its parameters onto the mesh."""

import concurrent.futures
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from flax import traverse_util

from distill import errors
from distill.checkpoint_formats import (
  huggingface,
  huggingface_names,
  orbax,
  t5x,
)
from distill.checkpoint_formats.tensors import (
  Checkpoint,
  Index,
  Shapes,
  Tensor,
  sizes,
)

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
# Names of folders that T5X and Orbax have not finished.
_UNFINISHED = re.compile(r".+\.(tmp-\d+|orbax-checkpoint-tmp.*)")
# Orbax's marks of a commit.
_SUCCESS, _METADATA = "commit_success.txt", "_CHECKPOINT_METADATA"
# Where checkpoints lie that come with this package.
_PACKAGE = pathlib.Path(__file__).parents[1]
SHIPPED = "starters/"
# Arrays that are read at once: a store such as gs:// is slow to respond.
_READERS = 4
# Parameters that a message names.
_NAMED = 8


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
  """Opens a checkpoint, and reads only the names and shapes of its arrays.

  Args:
    path: One of the following. All but the last may be on `gs://`.
      A `checkpoint_<step>` folder, written by this project or by T5X (in
      Orbax's or in the legacy format), or the legacy format's file.
      A MODEL_DIR with such folders: the best checkpoint is opened, or the
      newest if none is recorded as the best.
      A Hugging Face folder, or its `.safetensors` file.
      `starters/<name>`, which comes with this package.

  Raises:
    UserError: There is no checkpoint, or it is incomplete.
  """
  folder = find_checkpoint(path)
  if huggingface.is_folder(folder):
    return huggingface.read(folder)
  if (folder / orbax.STATE).exists():
    return orbax.read(folder)
  return t5x.read(folder)


def find_checkpoint(path: str | os.PathLike[str]) -> epath.Path:
  """Returns the folder or file of a checkpoint, see `open_checkpoint`."""
  if os.fspath(path).startswith(SHIPPED) and not os.path.exists(path):
    path = _PACKAGE / path
  folder = absolute(path)
  if folder.suffix == ".safetensors":
    folder = folder.parent
  check_finished(folder)
  if not folder.exists():
    raise _none(path, "no such folder")
  if (
    not folder.is_dir()
    or (folder / orbax.STATE).exists()
    or (folder / t5x.FILE).exists()
    or huggingface.is_folder(folder)
  ):
    return folder
  steps = checkpoints_in(folder)
  if not steps:
    raise _none(path, "no checkpoint in it")
  newest = steps[max(steps)]
  best = _best_step(newest)
  return newest if best is None else steps.get(best, newest)


def _best_step(checkpoint: epath.Path) -> int | None:
  """Returns the step of the best checkpoint; None if none is recorded."""
  record = checkpoint / "best" / "metadata"
  return json.loads(record.read_text())["step"] if record.exists() else None


def _none(path: str | os.PathLike[str], found: str) -> errors.UserError:
  return errors.UserError(
    f"There is no checkpoint at '{os.fspath(path)}'.",
    expected="a checkpoint_<step> folder, a MODEL_DIR that has some, a "
    "Hugging Face folder with model.safetensors, or starters/bytes",
    found=found,
    remedy="correct CHECKPOINT_PATH, --input or INITIAL_CHECKPOINT_PATH (where "
    "[] starts from random weights)",
  )


def absolute(path: str | os.PathLike[str]) -> epath.Path:
  """Returns an absolute path, as Orbax needs it; `gs://` is not changed."""
  text = os.fspath(path)
  return epath.Path(text if "://" in text else os.path.abspath(text))


def check_finished(folder: epath.Path) -> None:
  """Raises UserError if a checkpoint is incomplete."""
  if _UNFINISHED.fullmatch(folder.name):
    raise _unfinished(folder, "a folder that is renamed when it is whole")
  if (folder / "state").exists() and not _is_committed(folder):
    raise _unfinished(folder, f"neither {_SUCCESS} nor a commit's time")


def checkpoints_in(folder: epath.Path) -> dict[int, epath.Path]:
  """Returns the complete checkpoints of a MODEL_DIR by their steps."""
  return {
    int(found[1]): child
    for child in folder.iterdir()
    if (found := CHECKPOINT.fullmatch(child.name))
    and (not (child / "state").exists() or _is_committed(child))
  }


def _is_committed(folder: epath.Path) -> bool:
  """Returns whether Orbax committed a checkpoint."""
  if (folder / _SUCCESS).exists():
    return True
  mark = folder / _METADATA
  if not mark.exists():
    return False
  try:
    return bool(json.loads(mark.read_text()).get("commit_timestamp_nsecs"))
  except json.JSONDecodeError:
    return False


def _unfinished(folder: epath.Path, found: str) -> errors.UserError:
  return errors.UserError(
    f"The checkpoint '{folder}' was not written to its end.",
    expected=f"{_SUCCESS}, or {_METADATA} with the time of its commit",
    found=found,
    remedy="take an earlier checkpoint, or write or copy this one again",
  )


def load_params(
  checkpoint: Checkpoint,
  abstract_params: Any,
  config: Any = None,
  allow_missing: str | None = None,
) -> tuple[Any, list[str]]:
  """Returns the parameters of a checkpoint.

  Each host reads only the parts of an array that its own devices hold.

  Args:
    checkpoint: The result of `open_checkpoint`.
    abstract_params: A tree of shapes, types and shardings.
    config: The network's `T5Config`; None compares only the parameters.
    allow_missing: See `check`.

  Returns:
    The parameters, with the types and shardings of `abstract_params`, and the
    names of those that are missing, which are None in the tree.

  Raises:
    UserError: The checkpoint is of another network, has numbers that are not
      finite, or cannot be read.
  """
  wanted = traverse_util.flatten_dict(abstract_params, sep="/")
  shapes = {name: tuple(leaf.shape) for name, leaf in wanted.items()}
  missing = check(checkpoint, shapes, config, allow_missing)
  with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
    reading = {
      name: pool.submit(_place, checkpoint.tensors[name], leaf)
      for name, leaf in wanted.items()
      if name not in missing
    }
    try:
      found = {name: future.result() for name, future in reading.items()}
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise
  found |= dict.fromkeys(missing)
  return traverse_util.unflatten_dict(found, sep="/"), missing


def _place(tensor: Tensor, leaf: Any) -> jax.Array:
  """Returns the array with the sharding and the type of `leaf`."""
  parts: dict[str, np.ndarray] = {}

  def part(index: Index) -> np.ndarray:
    # Devices that hold the same part share one reading of it.
    if str(index) not in parts:
      array = tensor.read_finite(index)
      parts[str(index)] = array.astype(leaf.dtype, copy=False)
    return parts[str(index)]

  return jax.make_array_from_callback(leaf.shape, leaf.sharding, part)


def check(
  checkpoint: Checkpoint,
  wanted: Shapes,
  config: Any = None,
  allow_missing: str | None = None,
) -> list[str]:
  """Checks that a checkpoint is of the network that is to load it.

  Args:
    checkpoint: The checkpoint.
    wanted: The shapes of the network's parameters by T5X's name.
    config: The network's `T5Config`; None compares only the parameters.
    allow_missing: A regular expression that matches whole names of parameters.
      These may be missing, have another shape, or be only in the checkpoint.

  Returns:
    The names of the network's parameters that are not loaded.

  Raises:
    UserError: The checkpoint is of another network. The message names all
      fields of the configuration and the parameters that differ.
  """
  permitted = _pattern(allow_missing)
  found = {name: t.shape for name, t in checkpoint.tensors.items()}
  unlike = [
    name
    for name in sorted(wanted.keys() | found.keys())
    if wanted.get(name) != found.get(name)
  ]
  missing = [name for name in unlike if permitted.fullmatch(name)]
  wrong = [name for name in unlike if not permitted.fullmatch(name)]
  fields = _fields(checkpoint, wanted, found, config)
  if missing and not wrong:
    # A permitted difference in shape is a permitted difference in size.
    inferred = sizes(wanted)
    fields = {k: v for k, v in fields.items() if k not in inferred}
  if wrong or fields:
    raise _other_network(checkpoint, wanted, found, wrong, fields)
  return [name for name in missing if name in wanted]


def check_constants(checkpoint: Checkpoint) -> None:
  """Checks that a checkpoint has the constants of T5X's network.

  Raises:
    UserError: It declares other constants. T5X's formats do not record them.
  """
  ours = huggingface_names.CONSTANTS
  theirs = {name: checkpoint.declared.get(name, ours[name]) for name in ours}
  other = {name: value for name, value in theirs.items() if value != ours[name]}
  if other:
    raise errors.UserError(
      f"The constants of '{checkpoint.path}' are not those of T5X's network.",
      expected=", ".join(f"{name} = {ours[name]!r}" for name in other),
      found=", ".join(f"{name} = {value!r}" for name, value in other.items()),
      remedy="keep it in Hugging Face's format",
    )


def _pattern(allow_missing: str | None) -> re.Pattern[str]:
  try:
    # The default matches nothing.
    return re.compile(allow_missing or r"(?!)")
  except re.error as error:
    raise errors.UserError(
      f"ALLOW_MISSING = {allow_missing!r} is not a regular expression.",
      expected="one such as 'decoder/logits_dense/.*'",
      found=str(error),
      remedy="correct ALLOW_MISSING",
    ) from error


def _fields(
  checkpoint: Checkpoint, wanted: Shapes, found: Shapes, config: Any
) -> dict[str, tuple[Any, Any]]:
  """Returns the fields that differ, with the network's value first."""
  ours = sizes(wanted) | dict(huggingface_names.CONSTANTS)
  if config is not None:
    ours["mlp_activations"] = tuple(
      "silu" if name == "swish" else name for name in config.mlp_activations
    )
  theirs = sizes(found) | dict(checkpoint.declared)
  return {
    name: (ours[name], theirs[name])
    for name in ours
    if name in theirs and ours[name] != theirs[name]
  }


def _other_network(
  checkpoint: Checkpoint,
  wanted: Shapes,
  found: Shapes,
  wrong: list[str],
  fields: Mapping[str, tuple[Any, Any]],
) -> errors.UserError:
  shown = wrong[:_NAMED]
  more = f" and {len(wrong) - len(shown)} more" if len(wrong) > _NAMED else ""

  def listed(side: int, shapes: Shapes) -> str:
    values = [f"{name} = {pair[side]!r}" for name, pair in fields.items()]
    values += [f"{name} {shapes.get(name, 'absent')}" for name in shown]
    return ", ".join(values) + more

  return errors.UserError(
    f"The checkpoint '{checkpoint.path}' ({checkpoint.format}) is of another "
    f"network: {len(fields)} fields of T5Config and {len(wrong)} parameters "
    "differ.",
    expected=listed(0, wanted),
    found=listed(1, found),
    remedy="include the checkpoint's model file, bind its T5Config fields, or "
    "permit parameters by name with --gin.ALLOW_MISSING=REGEX",
  )
