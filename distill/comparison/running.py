"""Runs a grid's cells in worker processes, and skips what is done."""

import concurrent.futures
import dataclasses
import fcntl
import json
import multiprocessing
import pathlib
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import process

from distill import errors
from distill.comparison import flags, results, student, worker
from distill.comparison.grid import Cell, Grid
from distill.comparison.results import Results, Teacher

_SECONDS_BETWEEN_LINES = 60.0


def run(grid: Grid, folder: pathlib.Path, jobs: int, command: str) -> Results:
  """Runs what is not done yet, and keeps `results.json` up to date.

  A killed run goes on where it was: finished cells are read from `cells/`,
  interrupted ones resume from their last checkpoint.

  Args:
    grid: What to run.
    folder: Where all of it goes.
    jobs: Cells at a time, each in a process that keeps one core busy.
    command: What made the results, to be said in their file.

  Raises:
    UserError: A cell failed, `folder` is in use, or it has cells that were
      told otherwise.
  """
  folder = folder.absolute()
  (folder / "cells").mkdir(parents=True, exist_ok=True)
  with (folder / "lock").open("w") as lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      raise errors.UserError(
        f"Another run is at work in {folder}.",
        remedy="wait for it, or give another --output_dir",
      ) from error
    for cell in grid.cells():
      _check_settings(grid, cell, student.home_of(folder, cell))
    try:
      return _Run(grid, folder, jobs, command).finish()
    except process.BrokenProcessPool as error:
      raise errors.UserError(
        "A worker process died.",
        found=f"perhaps too little memory; it said: {folder}/workers.txt",
        remedy="run the same command again, perhaps with --jobs=1; it goes on"
        " where it was",
      ) from error


def _check_settings(grid: Grid, cell: Cell, home: pathlib.Path) -> None:
  """Notes what a cell is told, or checks that it was told the same before."""
  told = [
    *flags.flags_of(grid, cell, "train"),
    *flags.flags_of(grid, cell, "evaluate"),
    grid.teachers.get(cell.teacher, ""),
    grid.protocol,
  ]
  path = home / "settings.json"
  if not path.exists():
    home.mkdir(parents=True, exist_ok=True)
    results.write_json(told, path)
  before = json.loads(path.read_text())
  if before != told:
    raise errors.UserError(
      f"{home} was made with other settings.",
      expected="; ".join(text for text in told if text not in before),
      found="; ".join(text for text in before if text not in told),
      remedy="give another --output_dir, or remove that folder",
    )


class _Run:
  """A run under way."""

  def __init__(
    self, grid: Grid, folder: pathlib.Path, jobs: int, command: str
  ) -> None:
    self.grid, self.folder, self.command = grid, folder, command
    self.cells = grid.cells()
    kept = {cell: student.kept_rows(folder, cell) for cell in self.cells}
    self.rows = {cell: rows for cell, rows in kept.items() if rows}
    self.kept = len(self.rows)
    self.begun = time.monotonic()
    self.pool = concurrent.futures.ProcessPoolExecutor(
      jobs,
      multiprocessing.get_context("spawn"),
      initializer=worker.start,
      initargs=(folder,),
    )

  def finish(self) -> Results:
    """Makes the caches, then runs the cells."""
    if self.kept:
      _say(f"{self.kept} of {len(self.cells)} cells kept from an earlier run")
    try:
      teachers = self._caches()
      # Those that are given others' target tokens need the others first.
      for last in (False, True):
        self._run(
          [c for c in self.cells if bool(c.tokens_of) == last], teachers
        )
    finally:
      self.pool.shutdown(wait=False, cancel_futures=True)
    return self._write(teachers)

  def _caches(self) -> list[Teacher]:
    """Makes the caches that cells to run need; returns what all took."""
    path = self.folder / "teachers.json"
    known = json.loads(path.read_text()) if path.exists() else []
    teachers = [Teacher(**row) for row in known]
    there = {(row.name, row.task) for row in teachers}
    needed = {(cell.teacher, cell.family) for cell in self.cells}
    futures = [
      self.pool.submit(worker.make_cache, self.grid, *pair, self.folder)
      for pair in sorted(needed - there)
      if pair[0]
    ]
    for future in futures:
      teachers += future.result()
    results.write_json([dataclasses.asdict(row) for row in teachers], path)
    return teachers

  def _run(self, cells: Sequence[Cell], teachers: Sequence[Teacher]) -> None:
    """Runs cells, seed by seed and the dearest method first."""
    futures = {
      self.pool.submit(worker.run_cell, self.grid, cell, self.folder): cell
      for cell in sorted(reversed(cells), key=lambda cell: cell.seed)
      if cell not in self.rows
    }
    pending = set(futures)
    failed: dict[Cell, Exception] = {}
    while pending:
      done, pending = concurrent.futures.wait(
        pending, _SECONDS_BETWEEN_LINES, concurrent.futures.FIRST_COMPLETED
      )
      for future in done:
        cell = futures[future]
        try:
          self.rows[cell] = future.result()
        except process.BrokenProcessPool:
          raise
        except Exception as error:  # a night's other cells go on
          failed[cell] = error
          _say(f"{cell.name}: failed")
        else:
          self._write(teachers)
          _say(f"{cell.name}: accuracy {self.rows[cell][0].accuracy:.1f}")
      _say(f"  {self._progress()}")
    for cell, cause in failed.items():
      home = student.home_of(self.folder, cell)
      raise errors.UserError(
        f"{len(failed)} cells failed, of which {cell.name}:\n{cause}",
        remedy="mend that and run the same command again; it goes on where it"
        f" was. All that was said is in {home}/log.txt",
      ) from cause

  def _progress(self) -> str:
    """Says how far the run is, and the cells under way."""
    parts = [f"{len(self.rows)} of {len(self.cells)} done"]
    if new := len(self.rows) - self.kept:
      left = (time.monotonic() - self.begun) / new
      left *= (len(self.cells) - len(self.rows)) / 60
      parts.append(f"about {left:.0f} minutes left")
    for cell in self.cells:
      log = student.home_of(self.folder, cell) / "model/train/metrics.jsonl"
      if cell not in self.rows and log.exists():
        steps = re.findall(r'"step": (\d+)', log.read_text())
        parts += [f"{cell.name} at step {step}" for step in steps[-1:]]
    return "; ".join(parts)

  def _write(self, teachers: Sequence[Teacher]) -> Results:
    """Writes and returns what is there, in the order of the grid."""
    found = Results(
      grid=self.grid.name,
      command=self.command,
      rows=[row for cell in self.cells for row in self.rows.get(cell, [])],
      teachers=teachers,
      cpu_hour_price=self.grid.cpu_hour_price,
    )
    results.write_results(found, self.folder / "results.json")
    return found


def _say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
