"""Opens a checkpoint of any format; its files tell which format it has."""

import json
import os
import re

from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface, orbax, t5x
from distill.checkpoint_formats.tensors import Checkpoint

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
# Names of folders that T5X and Orbax have not finished.
_UNFINISHED = re.compile(r".+\.(tmp-\d+|orbax-checkpoint-tmp.*)")
# Orbax's marks of a commit.
_SUCCESS, _METADATA = "commit_success.txt", "_CHECKPOINT_METADATA"


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
  """Opens a checkpoint, and reads only the names and shapes of its arrays.

  Args:
    path: One of the following. All but the last may be on `gs://`.
      A `checkpoint_<step>` folder, written by this project or by T5X (in
      Orbax's or in the legacy format), or the legacy format's file.
      A MODEL_DIR with such folders: the best checkpoint is opened, or the
      newest if none is recorded as the best.
      A Hugging Face folder, or its `.safetensors` file.

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
    expected="a checkpoint_<step> folder, a MODEL_DIR that has some, or a "
    "Hugging Face folder with model.safetensors",
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
