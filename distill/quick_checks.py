"""Checks of names and paths that cost no import of TensorFlow."""

import os
import pathlib
from collections.abc import Mapping, Sequence

from distill import errors, gin_files

# The macros of checkpoints to read, and of folders to write.
_CHECKPOINTS = ("CHECKPOINT_PATH", "INITIAL_CHECKPOINT_PATH")
_FOLDERS = ("MODEL_DIR", "EVAL_OUTPUT_DIR", "INFER_OUTPUT_DIR")
# What the shipped gin files import; another module may register tasks.
_OWN_PACKAGES = ("__gin__", "distill", "seqio")


def check_run(survey: gin_files.Survey) -> None:
  """Checks the task and the paths of a run by its macros.

  Raises:
    UserError: There is no such task, module or checkpoint, or a folder cannot
      be written.
  """
  values = {name: macro.value for name, macro in survey.defined.items()}
  _check_task(values, foreign_modules(survey))
  for name in _CHECKPOINTS:
    paths = values.get(name)
    for path in [paths] if isinstance(paths, str) else paths or ():
      check_checkpoint(path)
  for name in _FOLDERS:
    if isinstance(values.get(name), str):
      check_folder(values[name], name)


def check_checkpoint(path: object) -> None:
  """Raises UserError if a local path is, and has, no checkpoint."""
  if isinstance(path, str) and "://" not in path:
    from distill.checkpoint_formats import loading

    loading.find_checkpoint(path)


def check_folder(path: str, name: str) -> None:
  """Raises UserError if a local folder can be neither written nor made.

  Nothing is made.

  Args:
    path: The folder.
    name: The flag or the macro that names it.
  """
  if "://" in path:
    return
  folder = pathlib.Path(os.path.abspath(path))
  there = next(p for p in (folder, *folder.parents) if os.path.lexists(p))
  if not there.is_dir():
    found = f"{there} is no folder"
  elif not os.access(there, os.W_OK | os.X_OK):
    found = f"no permission to write in {there}"
  else:
    return
  raise errors.UserError(
    f"{name} '{path}' cannot be written to.",
    expected="a folder that can be created and written",
    found=found,
    remedy=f"set {name} to another folder, or change its permissions",
  )


def check_cache(folder: str) -> None:
  """Raises UserError if a local folder has no cache of rationales."""
  path = os.path.join(folder, "manifest.json")
  if "://" not in folder and not os.path.exists(path):
    raise errors.UserError(
      f"There is no cache of rationales in '{folder}'.",
      expected=path,
      found="no such file" if os.path.isdir(folder) else "no such folder",
      remedy="make it with `distill cache ask`, or correct the folder",
    )


def foreign_modules(survey: gin_files.Survey) -> list[str]:
  """Returns the modules of others that the gin files import."""
  return [
    name
    for name in survey.imported
    if name.partition(".")[0] not in _OWN_PACKAGES
  ]


def _check_task(values: Mapping[str, object], foreign: Sequence[str]) -> None:
  from distill.data import lookup

  name = values.get("MIXTURE_OR_TASK_NAME")
  module = values.get("MIXTURE_OR_TASK_MODULE")
  if isinstance(module, str):
    lookup.check_module(module)
  if module == "tasks" and isinstance(name, str) and not foreign:
    lookup.check_task(name)
