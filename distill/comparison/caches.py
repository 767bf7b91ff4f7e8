"""The teachers' caches of a comparison, and what they cost."""

import importlib
import os
import shlex
from collections.abc import Sequence
from typing import Any

from distill import errors
from distill.comparison.cell import Cell, modules_of_family
from distill.comparison.results import Teacher

# Commands that TEACHERS may name, and their modules in `distill.commands`.
_COMMANDS = {
  "cache_rationales": "cache_ask",
  "import_rationales": "cache_import",
  "cache ask": "cache_ask",
  "cache import": "cache_import",
}


def folder_of(cell: Cell) -> str:
  """Returns the DISTILL_DATA_DIR with the caches of a cell's teacher."""
  if not cell.grid.teachers[cell.teacher]:
    return os.environ.get("DISTILL_DATA_DIR", "")
  return str(cell.folder / "data" / cell.teacher)


def make(cells: Sequence[Cell]) -> list[Teacher]:
  """Makes the cache of a teacher and a family if it does not exist.

  Args:
    cells: All cells of the family. The first one has the teacher.

  Returns:
    A row for each split of the cache.

  Raises:
    UserError: There is no cache and no command, or the command failed.
  """
  first = cells[0]
  grid, teacher, family = first.grid, first.teacher, first.family
  home = os.path.join(folder_of(first), family)
  modules = [f"--module={m}" for m in modules_of_family(cells, family)]
  for command in filter(None, grid.teachers[teacher].split(";")):
    words = shlex.split(command.replace("{family}", family))
    if words[:1] == ["cache"]:
      words[:2] = [" ".join(words[:2])]
    name, *flags = map(os.path.expandvars, words)
    if name not in _COMMANDS:
      raise errors.UserError(
        f"'{name}' is not a command that makes a cache.",
        expected=" or ".join(_COMMANDS) + ", then its flags",
        remedy="correct TEACHERS",
      )
    main = importlib.import_module(f"distill.commands.{_COMMANDS[name]}").main
    flags += [flag for flag in modules if flag not in flags]
    for split in grid.teacher_splits:
      where = f"--task={family}", f"--split={split}", f"--output_dir={home}"
      main([*where, *flags])
  from distill.data.cache import manifest

  found = manifest.read(home)
  if found is None:
    raise errors.UserError(
      f"There is no cache of '{family}' by '{teacher}'.",
      expected=f"a cache in {home}",
      remedy="make the cache, or set the command that makes it in TEACHERS",
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
  """Returns the US dollars of a ledger; None if a price is not known."""
  costs = [row.cost for row in rows]
  return None if None in costs or not costs else sum(costs)
