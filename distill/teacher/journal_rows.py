"""The tables and rows of a journal, and whether a row is intact.

A row has its own key and digest. So a damaged row, or one that was copied while
another machine wrote it, is recognised and not used.
"""

import contextlib
import hashlib
import json
import pathlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator

from distill.teacher.interface import AskingError, Response, content_key

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers(
  key TEXT UNIQUE NOT NULL, request TEXT NOT NULL, response TEXT NOT NULL,
  digest TEXT NOT NULL, stored REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS claims(
  key TEXT PRIMARY KEY, owner TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uses(
  split TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (split, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drafts(
  split TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (split, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped(key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS imported(file TEXT PRIMARY KEY, version TEXT);
"""
INSERT = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)"
# Version 0 stored responses without text; they count as missing.
_EMPTY = """CASE WHEN json_valid(answers.response) THEN
  json_extract(answers.response, '$.error') IS NULL AND
  trim(ifnull(json_extract(answers.response, '$.text'), ''),
       char(9, 10, 13, 32)) = '' AND
  is_whole(printf('%s', json_extract(answers.response, '$.finish_reason'))) END
"""
ANSWERED = f"({_EMPTY}) IS NOT TRUE"
# A response is never overwritten, except one without text.
ON_CONFLICT = f"""ON CONFLICT (key) DO UPDATE SET
  request = excluded.request, response = excluded.response,
  digest = excluded.digest, stored = excluded.stored WHERE {_EMPTY}"""

# key, content of the request, response, digest, time of storing
Row = tuple[str, str, str, str, float]


def encode(
  key: str, content: str, outcome: Response | AskingError
) -> tuple[str, str, str, str]:
  """Returns a row without its time; `content` is the request's."""
  if isinstance(outcome, AskingError):
    response = json.dumps({"error": outcome.kind, "detail": outcome.detail})
  else:
    response = json.dumps(outcome.__dict__)
  return key, content, response, _digest(key, response)


def decode(response: str) -> Response | AskingError:
  """Returns the outcome in a row's response."""
  fields = json.loads(response)
  if "error" in fields:
    return AskingError(fields["error"], fields["detail"], False)
  if fields["logprobs"] is not None:
    fields["logprobs"] = tuple(fields["logprobs"])
  return Response(**fields)


def is_whole(row: Row) -> bool:
  """Returns whether a row is as it was stored, under its request's key."""
  key, content, response, digest, _ = row
  return content_key(content) == key and _digest(key, response) == digest


def _digest(key: str, response: str) -> str:
  content = f"{key} {response}".encode()
  return hashlib.blake2b(content, digest_size=8).hexdigest()


def version(path: pathlib.Path) -> str:
  """Returns a text that changes whenever a journal's file does."""
  stats = [part.stat() for part in _parts(path)]
  return "/".join(f"{stat.st_size}@{stat.st_mtime_ns}" for stat in stats)


def read_copy(path: pathlib.Path) -> Iterator[Row]:
  """Yields the intact rows of another machine's journal, from a copy of it.

  SQLite's log cannot be read over a network while its machine writes it.
  """
  with tempfile.TemporaryDirectory() as folder:
    for part in _parts(path):
      shutil.copy(part, folder)
    with contextlib.closing(sqlite3.connect(f"{folder}/{path.name}")) as copy:
      # The rows before the damage are good.
      with contextlib.suppress(sqlite3.DatabaseError):
        yield from filter(is_whole, copy.execute("SELECT * FROM answers"))


def _parts(path: pathlib.Path) -> list[pathlib.Path]:
  log = path.with_name(path.name + "-wal")
  return [part for part in (path, log) if part.exists()]
