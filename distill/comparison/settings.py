"""The settings that a cell was made with, kept beside its results."""

import json
import pathlib
from collections.abc import Mapping

from distill import console, errors
from distill.comparison import flags, results, student
from distill.comparison.grid import Cell, Grid

Settings = Mapping[str, Mapping[str, str]]


def keep(grid: Grid, cell: Cell, folder: pathlib.Path) -> None:
  """Writes a cell's settings, if what it has was made with the same.

  What a failed cell made with other settings is moved to `set_aside/`.

  Raises:
    UserError: It is done, or was stopped on its way, with other settings.
  """
  home = student.home_of(folder, cell)
  path = home / "settings.json"
  now = flags.settings_of(grid, cell)
  if path.exists():
    before = _read(path)
    if before == now:
      return
    if (home / "rows.json").exists() or _was_stopped(home):
      raise _difference(home, before, now)
    if before.get("train") != now["train"]:
      if any(made != path for made in home.iterdir()):
        _set_aside(home, folder)
    elif (home / "test").exists():
      _set_aside(home / "test", folder)
  home.mkdir(parents=True, exist_ok=True)
  results.write_json(now, path)


def _read(path: pathlib.Path) -> Settings:
  """Returns the settings; those of an earlier form are all in 'train'."""
  content = json.loads(path.read_text())
  if isinstance(content, list):
    pairs = (text.partition("=") for text in content)
    return {"train": {name: value for name, _, value in pairs}}
  return content


def _was_stopped(home: pathlib.Path) -> bool:
  """Returns whether a cell has checkpoints, and did not fail."""
  trained = any(home.glob("model/checkpoint_*"))
  return trained and not (home / student.FAILED).exists()


def _difference(
  home: pathlib.Path, before: Settings, now: Settings
) -> errors.UserError:
  """Returns the error that names each setting that differs."""
  expected: list[str] = []
  found: list[str] = []
  for command in sorted(before.keys() | now.keys()):
    old, new = before.get(command, {}), now.get(command, {})
    for name in sorted(old.keys() | new.keys()):
      if old.get(name) != new.get(name):
        expected.append(f"{name}={new[name]}" if name in new else f"no {name}")
        found.append(f"{name}={old[name]}" if name in old else f"no {name}")
  return errors.UserError(
    f"{home} was made with other settings.",
    expected="; ".join(dict.fromkeys(expected)),
    found="; ".join(dict.fromkeys(found)),
    remedy="give another --output_dir, or the settings that were found",
  )


def _set_aside(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Moves a file or folder of a cell to a new name in `set_aside/`."""
  name = "-".join(path.relative_to(folder / "cells").parts)
  (folder / "set_aside").mkdir(exist_ok=True)
  taken = {other.name for other in (folder / "set_aside").iterdir()}
  number = next(n for n in range(len(taken) + 1) if f"{name}-{n}" not in taken)
  new = path.rename(folder / "set_aside" / f"{name}-{number}")
  console.say(f"{path.name} failed with other settings: moved to {new}")
