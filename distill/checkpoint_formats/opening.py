"""Opens a checkpoint of any format, told apart by what lies there."""

import json
import os

from etils import epath

from distill import errors
from distill.checkpoint_formats import (
  huggingface,
  orbax_state,
  paths,
  t5x_legacy,
)
from distill.checkpoint_formats.tensors import Checkpoint


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
  """Opens a checkpoint; nothing but its names and shapes is read.

  Args:
    path: A `checkpoint_<step>` folder of this project's, of T5X's Orbax format
      or of its legacy one, or the file of the latter; a folder of these, of
      which the best is taken, or the newest where there is no best; or a
      Hugging Face folder. All but the last may be `gs://`.

  Raises:
    UserError: There is no checkpoint, or it is incomplete.
  """
  folder = find_checkpoint(path)
  if huggingface.is_folder(folder):
    return huggingface.read(folder)
  if (folder / orbax_state.STATE).exists():
    return orbax_state.read(folder)
  return t5x_legacy.read(folder)


def find_checkpoint(path: str | os.PathLike[str]) -> epath.Path:
  """Returns the checkpoint that `path` is or has, see `open_checkpoint`."""
  folder = paths.absolute(path)
  if folder.suffix == ".safetensors":
    folder = folder.parent
  paths.check_finished(folder)
  if not folder.exists():
    raise _none(path, "no such folder")
  if (
    not folder.is_dir()
    or (folder / orbax_state.STATE).exists()
    or (folder / t5x_legacy.FILE).exists()
    or huggingface.is_folder(folder)
  ):
    return folder
  steps = paths.checkpoints_in(folder)
  if not steps:
    raise _none(path, "no checkpoint in it")
  newest = steps[max(steps)]
  best = _best_step(newest)
  return newest if best is None else steps.get(best, newest)


def _best_step(checkpoint: epath.Path) -> int | None:
  """Returns the step that this project's trainer recorded as the best."""
  record = checkpoint / "best" / "metadata"
  return json.loads(record.read_text())["step"] if record.exists() else None


def _none(path: str | os.PathLike[str], found: str) -> errors.UserError:
  return errors.UserError(
    f"There is no checkpoint at '{os.fspath(path)}'.",
    expected="a checkpoint_<step> folder, a MODEL_DIR that has some, or a "
    "Hugging Face folder with model.safetensors",
    found=found,
    remedy="correct CHECKPOINT_PATH, --input or INITIAL_CHECKPOINT_PATH (where "
    "[] starts from random weights)",
  )
