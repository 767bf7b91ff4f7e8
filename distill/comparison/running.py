"""Runs the cells of a grid in worker processes, and skips finished cells."""

import concurrent.futures
import dataclasses
import fcntl
import itertools
import json
import multiprocessing
import pathlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, process
from typing import TypeVar

from distill import console, errors
from distill.comparison import results, worker
from distill.comparison.cell import (
  Cell,
  cells_of,
  check_cells,
  keep_settings,
  other_xla,
)
from distill.comparison.grid import Grid
from distill.comparison.results import Results, Teacher

T = TypeVar("T")
_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_LINES = 60.0
# How long cells in flight may take to save when the run is stopped.
_SECONDS_TO_SAVE = 120.0


def run(grid: Grid, folder: pathlib.Path, jobs: int, command: str) -> Results:
  """Runs the cells that are not finished, and keeps `results.json` up to date.

  A killed run is resumed: finished cells are read from `cells/`, interrupted
  ones resume from their last checkpoint.

  Args:
    grid: The grid.
    folder: The folder of all results.
    jobs: The number of cells at a time; each keeps one core busy.
    command: The command line, for the file of results.

  Raises:
    UserError: A cell failed, another run uses `folder`, or it has cells that
      were made with other settings.
    Stopped: After SIGTERM or Ctrl-C, when the cells in flight have saved.
  """
  folder = folder.absolute()
  cells = cells_of(grid, folder)
  check_cells(cells)
  (folder / "cells").mkdir(parents=True, exist_ok=True)
  with (folder / "lock").open("w") as lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      raise errors.UserError(
        f"Another run uses {folder}.",
        remedy="wait until it ends, or give another --output_dir",
      ) from error
    for cell in cells:
      keep_settings(cell)
    try:
      with console.raise_signals():
        return _Run(cells, jobs, command).finish()
    except process.BrokenProcessPool as error:
      raise errors.UserError(
        "A worker process died.",
        found=f"perhaps too little memory; its output: {folder}/workers.txt",
        remedy="run the same command again, perhaps with --jobs=1; it resumes",
      ) from error


class _Run:
  """A run in progress."""

  def __init__(self, cells: Sequence[Cell], jobs: int, command: str) -> None:
    self.cells, self.command = cells, command
    self.grid, self.folder = cells[0].grid, cells[0].folder
    self.rows = {cell: rows for cell in cells if (rows := cell.rows())}
    self.kept = len(self.rows)
    self.begun = time.time()
    self.jobs = jobs
    self.seconds: dict[tuple[str, ...], list[float]] = {}
    self.pool = self._new_pool("")

  def _new_pool(self, xla: str) -> concurrent.futures.ProcessPoolExecutor:
    """Returns workers with more XLA_FLAGS; each starts when it is needed."""
    return concurrent.futures.ProcessPoolExecutor(
      self.jobs,
      multiprocessing.get_context("spawn"),
      initializer=worker.start,
      initargs=(self.folder, xla),
    )

  def finish(self) -> Results:
    """Makes the caches, then runs the cells."""
    if self.kept:
      _say(f"{self.kept} of {len(self.cells)} cells kept from an earlier run")
    new = len(self.cells) - self.kept
    console.say(f"running {new} cells, {self.jobs} at a time, in {self.folder}")
    try:
      teachers = self._caches()
      xla = ""
      for phase, cells in itertools.groupby(
        sorted(self.cells, key=_phase), _phase
      ):
        if phase[0] != xla:  # XLA reads its flags once in a process
          xla = phase[0]
          self.pool.shutdown()
          self.pool = self._new_pool(xla)
        self._run(list(cells), teachers)
    except console.Stopped as stopped:
      self._stop_workers()
      raise console.Stopped(
        stopped.number,
        f"{len(self.rows)} of {len(self.cells)} cells are done; the same"
        f" command resumes the others from {self.folder}/cells",
      ) from None
    finally:
      self.pool.shutdown(wait=False, cancel_futures=True)
    return self._write(teachers)

  def _submit(
    self, function: Callable[..., T], *arguments: object
  ) -> Future[T]:
    """Hands a call to a worker, which this may start."""
    with console.hold_signals():
      return self.pool.submit(function, *arguments)

  def _stop_workers(self) -> None:
    """Lets the cells in flight save, then ends all workers."""
    children = multiprocessing.active_children()
    self.pool.shutdown(wait=False, cancel_futures=True)
    end = time.monotonic() + _SECONDS_TO_SAVE
    try:
      for child in children:
        child.terminate()
      for child in children:
        child.join(max(0.0, end - time.monotonic()))
    finally:  # a second signal does not wait for them
      for child in children:
        child.kill()

  def _caches(self) -> list[Teacher]:
    """Makes the missing caches; returns a row for each split of all."""
    path = self.folder / "teachers.json"
    known = json.loads(path.read_text()) if path.exists() else []
    teachers = [Teacher(**row) for row in known]
    there = {(row.name, row.task) for row in teachers}
    needed = {
      (cell.teacher, cell.family): cell for cell in self.cells if cell.teacher
    }
    futures = []
    for teacher, family in sorted(needed.keys() - there):
      console.say(f"making the cache of {family} by the teacher {teacher}")
      others = [cell for cell in self.cells if cell.family == family]
      cells = [needed[teacher, family], *others]
      futures.append(self._submit(worker.make_cache, cells))
    for future in futures:
      teachers += future.result()
    results.write_json([dataclasses.asdict(row) for row in teachers], path)
    return teachers

  def _run(self, cells: Sequence[Cell], teachers: Sequence[Teacher]) -> None:
    """Runs cells, seed by seed and the most expensive method first."""
    futures = {
      self._submit(worker.run_cell, cell): cell
      for cell in sorted(reversed(cells), key=lambda cell: cell.seed)
      if cell not in self.rows
    }
    pending = set(futures)
    failed: dict[Cell, Exception] = {}
    shown, shown_at = "", 0.0
    while pending:
      done, pending = concurrent.futures.wait(
        pending, _SECONDS_BETWEEN_LOOKS, concurrent.futures.FIRST_COMPLETED
      )
      for future in done:
        cell = futures[future]
        try:
          self.rows[cell], seconds = future.result()
        except process.BrokenProcessPool:
          raise
        except Exception as error:  # the other cells continue
          failed[cell] = error
          _say(f"{cell.name}: failed")
        else:
          self._measure(cell, seconds)
          self._write(teachers)
          _say(f"{cell.name}: accuracy {self.rows[cell][0].accuracy:.1f}")
      steps = self._steps(cell for cell in cells if cell not in failed)
      # New steps are shown once a minute, all other changes at once.
      stages = re.sub(r"step \d+", "step", str(sorted(steps.values())))
      now = time.monotonic()
      if done or stages != shown or now - shown_at > _SECONDS_BETWEEN_LINES:
        shown, shown_at = stages, now
        _say(f"  {self._progress(steps)}")
    for cell, cause in failed.items():
      raise errors.UserError(
        f"{len(failed)} cells failed, of which {cell.name}:\n{cause}",
        remedy="fix the cause and run the same command again; finished cells"
        f" are kept. The log is {cell.home}/log.txt",
      ) from cause

  def _measure(self, cell: Cell, seconds: float) -> None:
    """Records the time of a cell that was never interrupted."""
    if self.rows[cell][0].cpu_seconds is not None:
      self.seconds.setdefault(_kind(cell), []).append(seconds)

  def _steps(self, cells: Iterable[Cell]) -> dict[Cell, str]:
    """Returns the step or the stage of each cell in flight."""
    found = {}
    for cell in cells:
      log = cell.home / "log.txt"
      if cell in self.rows or not log.exists():
        continue
      if log.stat().st_mtime < self.begun:
        continue  # of an earlier run
      metrics = cell.home / "model/train/metrics.jsonl"
      lines = metrics.read_text() if metrics.exists() else ""
      steps = re.findall(r'"step": (\d+)', lines)
      stage = console.last_stage(log.read_text(errors="replace"))
      trains = stage.startswith(("compiling the training", "initializing"))
      if steps and not trains:
        stage = f"step {steps[-1]}, {stage}"
      elif steps:
        stage = f"step {steps[-1]}"
      found[cell] = stage or "starting"
    return found

  def _progress(self, steps: Mapping[Cell, str]) -> str:
    """Returns the progress of the run and of the cells in flight."""
    parts = [f"{len(self.rows)} of {len(self.cells)} done"]
    if minutes := self._minutes_left(steps):
      parts.append(f"about {minutes:.0f} minutes left")
    parts += [f"{cell.name}: {stage}" for cell, stage in steps.items()]
    return "; ".join(parts)

  def _minutes_left(self, steps: Mapping[Cell, str]) -> float | None:
    """Estimates the time left from finished cells of the same kind.

    Returns None until a cell of each remaining kind is finished.
    """
    seconds = []
    for cell in self.cells:
      if cell in self.rows:
        continue
      alike = [rows for c, rows in self.rows.items() if _kind(c) == _kind(cell)]
      if _kind(cell) not in self.seconds:
        return None
      taken = self.seconds[_kind(cell)]
      total = max(alike[0][0].steps, 1)
      step = re.match(r"step (\d+)", steps.get(cell, ""))
      done = min(int(step[1]) / total, 1.0) if step else 0.0
      seconds.append(sum(taken) / len(taken) * (1 - done))
    return max([*seconds, sum(seconds) / self.jobs]) / 60 if seconds else None

  def _final_rows(self, cell: Cell) -> list[results.Result]:
    """Returns a cell's rows, with what they gain by other XLA settings."""
    rows = self.rows.get(cell, [])
    if cell.xla:
      return []  # its accuracies are in the rows of its twin
    twin = other_xla(cell)
    if twin is None or twin not in self.rows:
      return rows
    return [
      dataclasses.replace(row, other_xla=other.accuracy - row.accuracy)
      for row, other in zip(rows, self.rows[twin], strict=True)
    ]

  def _write(self, teachers: Sequence[Teacher]) -> Results:
    """Writes and returns the results so far, in the order of the grid."""
    found = Results(
      grid=self.grid.name,
      command=self.command,
      rows=[row for cell in self.cells for row in self._final_rows(cell)],
      teachers=teachers,
      cpu_hour_price=self.grid.cpu_hour_price,
    )
    results.write_results(found, self.folder / "results.json")
    return found


def _phase(cell: Cell) -> tuple[str, bool]:
  """Returns when a cell runs; a budget is known only after its method ran."""
  return cell.xla, bool(cell.budget_of)


def _say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)


def _kind(cell: Cell) -> tuple[str, ...]:
  """Returns the kind of a cell; cells of one kind cost the same."""
  return cell.family, cell.label, cell.model
