"""A worker process: it makes caches and trains and tests students.

A worker runs one cell after the other, so that modules are imported once and
students of one shape are compiled once.
"""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import shlex
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from typing import Any

from distill import console, errors
from distill.comparison import economics, results, student
from distill.comparison.cell import FAILED, Cell, modules_of_family
from distill.comparison.results import Result, Teacher

# Commands that TEACHERS may name, and their modules in `distill.commands`.
_COMMANDS = {
  "cache_rationales": "cache_ask",
  "import_rationales": "cache_import",
  "cache ask": "cache_ask",
  "cache import": "cache_import",
}
# Imported before the first cell, so that no cell's CPU time includes it.
_HEAVY = ("tasks", "distill.evaluation.predictions", "distill.training.loop")


def start(folder: pathlib.Path, xla: str = "") -> None:
  """Prepares a new process: XLA_FLAGS, compilation cache, imports and end."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    # A worker that outlives a killed run would write where the next run does.
    threading.Thread(
      target=_end_with, args=(parent.sentinel,), daemon=True
    ).start()
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f"{folder}/compiled")
  if xla:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {xla}".strip()
  with _logged(folder / "workers.txt"):
    console.import_tensorflow("JAX")
    for module in _HEAVY:
      importlib.import_module(module)


def _end_with(sentinel: int) -> None:
  connection.wait([sentinel])
  os._exit(1)


def make_cache(cells: Sequence[Cell]) -> list[Teacher]:
  """Makes the cache of a teacher and a family if it does not exist.

  The output goes to a log.

  Args:
    cells: All cells of the family. The first one has the teacher.

  Returns:
    A row for each split of the cache.

  Raises:
    UserError: There is no cache and no command, or the command failed.
  """
  with _logged(cells[0].folder / "caches.txt"):
    return _make_cache(cells)


def run_cell(cell: Cell) -> tuple[list[Result], float]:
  """Trains and tests a student; a killed process's work is resumed.

  Returns:
    The rows, which are also written to the cell's home, and the seconds that
    the cell took.

  Raises:
    UserError: The configuration or the data is wrong.
  """
  interrupted = (cell.home / "log.txt").exists()
  begun, clock = time.process_time(), time.monotonic()
  failure = cell.home / FAILED
  failure.unlink(missing_ok=True)
  with (
    _ended_by_signal(),
    _failures_kept(failure),
    _logged(cell.home / "log.txt"),
    _data_in(_data_folder(cell) if cell.teacher else ""),
  ):
    row, checkpoint = student.train_and_test(cell)
    spent = None if interrupted else round(time.process_time() - begun, 1)
    costs = economics.costs(cell, row.steps, checkpoint)
    row = dataclasses.replace(row, cpu_seconds=spent, student=costs)
    rows = [row, *student.transfers(cell, row, checkpoint)]
  kept = [dataclasses.asdict(row) for row in rows]
  results.write_json(kept, cell.home / "rows.json")
  import jax

  jax.clear_caches()  # a worker lives for hundreds of cells
  return rows, time.monotonic() - clock


def _data_folder(cell: Cell) -> str:
  """Returns the DISTILL_DATA_DIR with the caches of a cell's teacher."""
  if not cell.grid.teachers[cell.teacher]:
    return os.environ.get("DISTILL_DATA_DIR", "")
  return str(cell.folder / "data" / cell.teacher)


def _make_cache(cells: Sequence[Cell]) -> list[Teacher]:
  first = cells[0]
  grid, teacher, family = first.grid, first.teacher, first.family
  home = os.path.join(_data_folder(first), family)
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


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
  """Ends the process where training has saved and stopped on SIGTERM."""
  try:
    yield
  except SystemExit as stopped:
    os._exit(stopped.code if isinstance(stopped.code, int) else 1)


@contextlib.contextmanager
def _failures_kept(path: pathlib.Path) -> Iterator[None]:
  """Writes the error to a file, which marks a cell as failed, not killed."""
  try:
    yield
  except Exception as error:
    path.write_text(str(error))
    raise


@contextlib.contextmanager
def _data_in(folder: str) -> Iterator[None]:
  """Sets DISTILL_DATA_DIR for one cell."""
  before = os.environ.get("DISTILL_DATA_DIR", "")
  os.environ["DISTILL_DATA_DIR"] = folder or before
  try:
    yield
  finally:
    os.environ["DISTILL_DATA_DIR"] = before


@contextlib.contextmanager
def _logged(path: pathlib.Path) -> Iterator[None]:
  """Appends the output of the process, C++ code included, to a file."""
  path.parent.mkdir(parents=True, exist_ok=True)
  streams = sys.stdout, sys.stderr
  before = [os.dup(stream) for stream in (1, 2)]
  with path.open("a", encoding="utf-8") as log:
    for stream in (1, 2):
      os.dup2(log.fileno(), stream)
    try:
      yield
    except BaseException:
      traceback.print_exc()
      raise
    finally:
      for python in streams:
        python.flush()
      for saved, stream in zip(before, (1, 2), strict=True):
        os.dup2(saved, stream)
        os.close(saved)
