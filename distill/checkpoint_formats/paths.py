"""Where checkpoints lie, and whether one was written to its end."""

import json
import os
import re

from etils import epath

from distill import errors

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
# T5X's and Orbax's folders while they are written.
_UNFINISHED = re.compile(r".+\.(tmp-\d+|orbax-checkpoint-tmp.*)")
# Orbax's marks of a commit.
_SUCCESS, _METADATA = "commit_success.txt", "_CHECKPOINT_METADATA"


def absolute(path: str | os.PathLike[str]) -> epath.Path:
  """Returns the path as Orbax wants it; `gs://` stays as it is."""
  text = os.fspath(path)
  return epath.Path(text if "://" in text else os.path.abspath(text))


def check_finished(folder: epath.Path) -> None:
  """Raises UserError if a checkpoint was not written to its end."""
  if _UNFINISHED.fullmatch(folder.name):
    raise _unfinished(folder, "a folder that is renamed when it is whole")
  if (folder / "state").exists() and not _is_committed(folder):
    raise _unfinished(folder, f"neither {_SUCCESS} nor a commit's time")


def checkpoints_in(folder: epath.Path) -> dict[int, epath.Path]:
  """Returns the finished checkpoints of a MODEL_DIR by their steps."""
  return {
    int(found[1]): child
    for child in folder.iterdir()
    if (found := CHECKPOINT.fullmatch(child.name))
    and (not (child / "state").exists() or _is_committed(child))
  }


def _is_committed(folder: epath.Path) -> bool:
  """Returns whether Orbax says that it has written all of a checkpoint."""
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
