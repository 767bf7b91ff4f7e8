"""Asks a teacher on Apache Beam: here, or on Dataflow, Flink or Spark.

Examples without answers are divided among workers. Each worker asks through a
journal on its own disk, and passes on its rows as files. The cache's journal
imports these files as it does the journals of other machines. The code of a
single run then writes the cache, with the same bytes, and sends no request.
"""

import argparse
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence

import tensorflow as tf

from distill.commands import cache_flags
from distill.data import registration
from distill.data.examples import Example
from distill.errors import UserError, printable
from distill.teacher import collecting, journal_rows
from distill.teacher.attempts import Collection, Helper, Question
from distill.teacher.collecting import Reading
from distill.teacher.interface import content_key
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits

# The most examples whose answers are only on a worker's disk.
_EXAMPLES_A_FILE = 5000
# The start of the names of files that workers pass on.
_DONE = "beam-"


def helper(options: argparse.Namespace, beam_args: Sequence[str]) -> Helper:
  """Returns a helper that asks on Beam.

  Args:
    options: The flags of the command that asks.
    beam_args: Beam's own flags, such as --runner=DataflowRunner.

  Raises:
    UserError: Beam is not installed, or a flag cannot be combined with it.
  """
  for name in ("shard_index", "max_cost", "batch_api"):
    given = getattr(options, name)
    if given is not None and given is not False:
      raise UserError(f"--runner=beam does not go with --{name}.")
  try:
    import apache_beam  # noqa: F401
  except ImportError as error:
    raise UserError(
      "--runner=beam needs Apache Beam.",
      found=str(error),
      remedy="run `pip install 'distill-jax[beam]'`, here and on the workers",
    ) from error
  return functools.partial(_ask, options, list(beam_args))


def _ask(
  options: argparse.Namespace,
  beam_args: list[str],
  questions: Sequence[Question],
  collection: Collection,
) -> None:
  """Puts the responses that workers get into the collection's journal."""
  import apache_beam as beam
  from apache_beam.options.pipeline_options import PipelineOptions

  journal = collection.journal
  if journal is None:
    return
  folder = (options.beam_dir or str(journal.folder.absolute())).rstrip("/")
  stem = f"{folder}/todo-{options.split}"
  tf.io.gfile.makedirs(folder)
  _gather(folder, journal)
  reading = Reading(questions, collection, stem)
  # Equal questions are asked once.
  lacking = {
    (question.input, question.label): question
    for question, found in zip(questions, reading, strict=True)
    if len(found) < collection.samples or any(one.failure for one in found)
  }
  missing = list(lacking.values())
  workers = min(options.beam_workers, len(missing))
  for part in range(workers):
    some = missing[part::workers]
    _write_rows(some, collection, f"{stem}-{part}.known")
    with tf.io.gfile.GFile(f"{stem}-{part}.jsonl", "w") as file:
      for one in some:
        file.write(json.dumps((one.id, one.input, one.label)) + "\n")
  ask_part = functools.partial(_ask_part, options, stem, workers)
  try:
    if workers:
      with beam.Pipeline(options=PipelineOptions(beam_args)) as pipeline:
        _ = (
          pipeline
          | beam.Create(range(workers))
          | beam.Reshuffle()
          | "Ask" >> beam.Map(ask_part)
        )
  except Exception as error:  # Each runner has errors of its own.
    raise UserError(
      "Asking by Beam stopped before its end.",
      expected="finished parts are kept and are not requested again",
      found=printable(str(error), 1000),
      remedy="fix the error of the worker, and run the same command again",
    ) from error
  finally:
    _gather(folder, journal)
    journal.forget_uses(stem)
    for path in _files(folder, os.path.basename(stem)):
      tf.io.gfile.remove(path)
  # The folder of a worker on this machine.
  shutil.rmtree(_own_disk(stem))


def _ask_part(
  options: argparse.Namespace, stem: str, workers: int, part: int
) -> None:
  """Asks on a worker about its part, within its share of the limits."""
  family = registration.find_family(options.task, options.module)
  whole = cache_flags.collection(
    options,
    cache_flags.create_teacher(options),
    family.answer_rule,
    family.prompt,
  )
  rates = whole.limits.requests_per_minute, whole.limits.tokens_per_minute
  limits = Limits(
    max(1, whole.limits.max_concurrency // workers),
    *(rate / workers if rate else None for rate in rates),
  )
  disk = _own_disk(stem)
  known = str(disk / f"{part}.sqlite")
  tf.io.gfile.copy(f"{stem}-{part}.known", known, overwrite=True)
  with tf.io.gfile.GFile(f"{stem}-{part}.jsonl") as file, Journal(disk) as own:
    collection = dataclasses.replace(whole, journal=own, limits=limits)
    rows = (Example(*json.loads(line)) for line in file)
    while some := list(itertools.islice(rows, _EXAMPLES_A_FILE)):
      # The process that started the workers retries and reports failures.
      collecting.ask_all(some, collection, f"failed-{part}.jsonl")
      folder, name = os.path.split(f"{stem}-{part}")
      name = f"{_DONE}{name}-{content_key(some[0].id)[:16]}.sqlite"
      _write_rows(some, collection, f"{folder}/{name}")


def _own_disk(stem: str) -> pathlib.Path:
  """Returns a folder of this machine that is still there after a crash."""
  name = f"distill-{os.getuid()}-{content_key(stem)[:16]}"
  path = pathlib.Path(tempfile.gettempdir(), name)
  path.mkdir(mode=0o700, exist_ok=True)
  if path.is_symlink() or path.stat().st_uid != os.getuid():
    raise UserError(f"{path} belongs to another user.", remedy="set TMPDIR")
  return path


def _write_rows(
  questions: Sequence[Question], collection: Collection, path: str
) -> None:
  """Writes the responses to questions as a file that a journal imports."""
  for _ in Reading(questions, collection, path):
    pass
  with tempfile.TemporaryDirectory() as folder:
    draft = f"{folder}/rows"
    with contextlib.closing(sqlite3.connect(draft)) as file, file:
      file.executescript(journal_rows.SCHEMA)
      if collection.journal is not None:
        rows = collection.journal.take_draft(path)
        file.executemany(journal_rows.INSERT, rows)
    tf.io.gfile.copy(draft, f"{path}.incomplete", overwrite=True)
  tf.io.gfile.rename(f"{path}.incomplete", path, overwrite=True)


def _gather(folder: str, journal: Journal) -> None:
  """Imports the files that workers have passed on."""
  found = _files(folder, _DONE)
  copies = [journal.folder / os.path.basename(path) for path in found]
  for path, copy in zip(found, copies, strict=True):
    if path != str(copy.absolute()):
      tf.io.gfile.copy(path, str(copy), overwrite=True)
  journal.take_over()
  for path, copy in zip(found, copies, strict=True):
    copy.unlink()
    if path != str(copy.absolute()):
      tf.io.gfile.remove(path)


def _files(folder: str, start: str) -> list[str]:
  names = tf.io.gfile.listdir(folder)
  return [f"{folder}/{name}" for name in names if name.startswith(start)]
