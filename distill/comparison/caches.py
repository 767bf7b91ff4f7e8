"""The teachers' caches of a comparison: made if need be, and accounted for."""

import importlib
import os
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from distill import errors
from distill.comparison import flags as cell_flags
from distill.comparison.grid import Grid
from distill.comparison.results import Teacher

# What a grid may name, and the module of `distill.commands` that it is.
_COMMANDS = {
  "cache_rationales": "cache_ask",
  "import_rationales": "cache_import",
  "cache ask": "cache_ask",
  "cache import": "cache_import",
}


def folder_of(folder: pathlib.Path, grid: Grid, teacher: str) -> str:
  """Returns DISTILL_DATA_DIR for what one teacher gives."""
  if not grid.teachers[teacher]:
    return os.environ.get("DISTILL_DATA_DIR", "")
  return str(folder / "data" / teacher)


def make(
  grid: Grid, teacher: str, family: str, folder: pathlib.Path
) -> list[Teacher]:
  """Caches a teacher's answers unless they are there; says what they took.

  Raises:
    UserError: There is no cache and no command, or the command failed.
  """
  home = os.path.join(folder_of(folder, grid, teacher), family)
  modules = cell_flags.modules_of_family(grid, family)
  for command in filter(None, grid.teachers[teacher].split(";")):
    words = shlex.split(command.replace("{family}", family))
    if words[:1] == ["cache"]:
      words[:2] = [" ".join(words[:2])]
    name, *flags = map(os.path.expandvars, words)
    if name not in _COMMANDS:
      raise errors.UserError(
        f"'{name}' makes no cache.",
        expected=" or ".join(_COMMANDS) + ", then its flags",
        remedy="correct TEACHERS",
      )
    main = importlib.import_module(f"distill.commands.{_COMMANDS[name]}").main
    for module in modules:
      if f"--module={module}" not in flags:
        flags.append(f"--module={module}")
    for split in grid.teacher_splits:
      where = f"--task={family}", f"--split={split}", f"--output_dir={home}"
      main([*where, *flags])
  from distill.data.cache import manifest

  found = manifest.read(home)
  if found is None:
    raise errors.UserError(
      f"There is no cache of '{family}' by '{teacher}'.",
      expected=f"a cache in {home}",
      remedy="make it, or say in TEACHERS how it is made",
    )
  return [
    Teacher(
      name=teacher,
      model=entry.teacher,
      task=family,
      split=split,
      answers=entry.answers,
      accuracy=100 * entry.agreeing / entry.answers if entry.labeled else None,
      prompt_tokens=entry.prompt_tokens,
      completion_tokens=entry.completion_tokens,
      cost=_cost(entry.ledger),
      parameters=grid.teacher_parameters.get(teacher),
    )
    for split, entry in found.splits.items()
  ]


def _cost(rows: Sequence[Any]) -> float | None:
  """Returns US dollars by a ledger, None where a price is not known."""
  costs = [row.cost for row in rows]
  return None if None in costs or not costs else sum(costs)
