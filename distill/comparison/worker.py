"""What a worker process does: make a teacher's cache, run a cell.

A worker runs one after the other, so that modules are imported once and
students of one shape are compiled once.
"""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import pathlib
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from multiprocessing import connection

from distill import console
from distill.comparison import caches, measuring, results, student
from distill.comparison.grid import Cell, Grid
from distill.comparison.results import Result, Teacher

# Imported before the first cell, so that no cell's CPU time has them in it.
_HEAVY = ("tasks", "distill.evaluation.student", "distill.training.loop")


def start(folder: pathlib.Path) -> None:
  """Prepares a new process: where it compiles, and when it ends."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    # A worker that outlived a killed run would write where the next one does.
    threading.Thread(
      target=_end_with, args=(parent.sentinel,), daemon=True
    ).start()
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f"{folder}/compiled")
  with _logged(folder / "workers.txt"):
    console.import_tensorflow("JAX")
    for module in _HEAVY:
      importlib.import_module(module)


def _end_with(sentinel: int) -> None:
  connection.wait([sentinel])
  os._exit(1)


def make_cache(
  grid: Grid, teacher: str, family: str, folder: pathlib.Path
) -> list[Teacher]:
  """Does as `caches.make`, and logs what is said."""
  with _logged(folder / "caches.txt"):
    return caches.make(grid, teacher, family, folder)


def run_cell(
  grid: Grid, cell: Cell, folder: pathlib.Path
) -> tuple[list[Result], float]:
  """Does as `student.train_and_test`, and keeps the rows in the cell's home.

  Returns:
    The rows, and the seconds that the cell took.

  Raises:
    UserError: Something of the configuration or the data is wrong.
  """
  home = student.home_of(folder, cell)
  data = caches.folder_of(folder, grid, cell.teacher) if cell.teacher else ""
  interrupted = (home / "log.txt").exists()
  begun, clock = time.process_time(), time.monotonic()
  failure = home / student.FAILED
  failure.unlink(missing_ok=True)
  with (
    _ended_by_signal(),
    _failures_kept(failure),
    _logged(home / "log.txt"),
    _data_in(data),
  ):
    row, checkpoint = student.train_and_test(grid, cell, folder)
    spent = None if interrupted else round(time.process_time() - begun, 1)
    costs = measuring.costs(grid, cell, row.steps, checkpoint)
    row = dataclasses.replace(row, cpu_seconds=spent, student=costs)
    rows = [row, *student.transfers(grid, cell, folder, row, checkpoint)]
  kept = [dataclasses.asdict(row) for row in rows]
  results.write_json(kept, home / "rows.json")
  import jax

  jax.clear_caches()  # a worker lives for hundreds of cells
  return rows, time.monotonic() - clock


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
  """Ends the process where training has saved and stopped on SIGTERM."""
  try:
    yield
  except SystemExit as stopped:
    os._exit(stopped.code if isinstance(stopped.code, int) else 1)


@contextlib.contextmanager
def _failures_kept(path: pathlib.Path) -> Iterator[None]:
  """Writes to a file why a cell failed, which tells it from a killed one."""
  try:
    yield
  except Exception as error:
    path.write_text(str(error))
    raise


@contextlib.contextmanager
def _data_in(folder: str) -> Iterator[None]:
  """Names the caches of a cell's teacher; the next cell's may be elsewhere."""
  before = os.environ.get("DISTILL_DATA_DIR", "")
  os.environ["DISTILL_DATA_DIR"] = folder or before
  try:
    yield
  finally:
    os.environ["DISTILL_DATA_DIR"] = before


@contextlib.contextmanager
def _logged(path: pathlib.Path) -> Iterator[None]:
  """Appends to a file what the process says, C++ code included."""
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
