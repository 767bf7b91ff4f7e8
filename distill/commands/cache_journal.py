"""`distill cache journal`: inspects and cleans a journal of responses."""

import contextlib
import pathlib
import sqlite3
from collections.abc import Sequence

from distill import errors
from distill.flags import Parser
from distill.teacher import journal_rows
from distill.teacher.journal import Journal

# A stored failure has no tokens.
_TOTALS = """SELECT json_extract(request, '$.teacher') AS teacher, count(*),
  ifnull(sum(json_extract(response, '$.prompt_tokens')), 0),
  ifnull(sum(json_extract(response, '$.completion_tokens')), 0)
  FROM answers GROUP BY teacher ORDER BY teacher"""
# No split that is written uses it.
_UNUSED = "key NOT IN (SELECT key FROM uses)"
# A written split used it once. What no split has used yet was paid for by a run
# that is not over, or was killed: it is not garbage.
_GARBAGE = (
  f"{_UNUSED} AND key NOT IN (SELECT key FROM drafts)"
  " AND key IN (SELECT key FROM dropped)"
)


def stats(connection: sqlite3.Connection) -> list[str]:
  """Returns, a line each, what every teacher answered and took."""
  lines = [
    f"{teacher}: {count:,} answers; {read:,} tokens read, {written:,} written"
    for teacher, count, read, written in connection.execute(_TOTALS)
  ]
  return [
    *lines,
    f"{_unused(connection):,} answers are used by no cached split",
  ]


def _unused(connection: sqlite3.Connection) -> int:
  count = f"SELECT count(*) FROM answers WHERE {_UNUSED}"
  return int(connection.execute(count).fetchone()[0])


def verify(connection: sqlite3.Connection, repair: bool) -> list[str]:
  """Returns what is wrong, a line each; `repair` deletes damaged answers."""
  found = connection.execute("PRAGMA integrity_check")
  wrong = [line for (line,) in found if line != "ok"]
  keys = [
    (row[0],)
    for row in connection.execute("SELECT * FROM answers")
    if not journal_rows.is_whole(row)
  ]
  if repair:
    connection.executemany("DELETE FROM answers WHERE key = ?", keys)
  return wrong + [f"the answer {key} is damaged" for (key,) in keys]


def collect_garbage(connection: sqlite3.Connection) -> list[str]:
  """Deletes answers that no cached split uses any more; returns what it did."""
  execute = connection.execute
  deleted = execute(f"DELETE FROM answers WHERE {_GARBAGE}").rowcount
  execute("DELETE FROM dropped WHERE key NOT IN (SELECT key FROM answers)")
  execute("VACUUM")
  lines = [f"{deleted:,} answers deleted"]
  if kept := _unused(connection):
    lines.append(f"{kept:,} answers that no split has used yet are kept")
  return lines


def main(argv: Sequence[str]) -> int:
  """Prints what was asked for; returns 1 if something is damaged."""
  parser = Parser(
    "distill cache journal",
    description="Counts (stats), checks (verify) or deletes unused (gc)"
    " responses in the journal of a cache (docs/teachers.md).",
  )
  add = parser.add_argument
  add("action", choices=["stats", "verify", "gc"])
  add("folder", type=pathlib.Path, help="<cache>/journal")
  add("--repair", action="store_true", help="verify: delete damaged responses")
  options = parser.parse(argv)
  if not options.folder.is_dir():
    raise errors.UserError(
      f"There is no journal in {options.folder}.",
      expected="the folder that --journal_dir names, <cache>/journal",
    )
  # Opening it takes over what other machines have left there.
  with Journal(options.folder) as journal:
    path, shared = journal.path, journal.is_shared()
  with contextlib.closing(
    sqlite3.connect(path, timeout=60, isolation_level=None)
  ) as connection:
    if options.action == "stats":
      size = path.stat().st_size
      lines = [f"{path}: {size:,} bytes", *stats(connection)]
    elif options.action == "gc" and shared:
      lines = [
        "0 answers deleted: a running process uses this journal;"
        " run gc again after it ends"
      ]
    elif options.action == "gc":
      lines = collect_garbage(connection)
    else:
      lines = verify(connection, options.repair)
      print("\n".join(lines) if lines else f"{path}: whole")
      return 1 if lines and not options.repair else 0
  print("\n".join(lines))
  return 0
