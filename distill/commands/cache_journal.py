"""`distill cache journal`: inspects and cleans a journal of responses."""

import contextlib
import pathlib
import sqlite3
from collections import Counter
from collections.abc import Sequence

from distill import errors
from distill.flags import Parser
from distill.teacher import journal_rows
from distill.teacher.interface import AskingError
from distill.teacher.journal import Journal


def stats(connection: sqlite3.Connection) -> list[str]:
  """Returns, a line each, what every teacher answered and took."""
  answers: Counter[str] = Counter()
  tokens: Counter[str] = Counter()
  for request, response in connection.execute(
    "SELECT json_extract(request, '$.teacher'), response FROM answers"
  ):
    outcome = journal_rows.decode(response)
    answers[request] += 1
    if not isinstance(outcome, AskingError):
      tokens[f"{request} read"] += outcome.prompt_tokens
      tokens[f"{request} written"] += outcome.completion_tokens
  [unused] = connection.execute(
    f"SELECT count(*) FROM answers WHERE {_UNUSED}"
  ).fetchone()
  lines = [
    f"{teacher}: {count:,} answers; {tokens[f'{teacher} read']:,} tokens read,"
    f" {tokens[f'{teacher} written']:,} written"
    for teacher, count in sorted(answers.items())
  ]
  return [*lines, f"{unused:,} answers are used by no cached split"]


# No split that is written uses it.
_UNUSED = "key NOT IN (SELECT key FROM uses)"
# A written split used it once. What no split has used yet was paid for by a run
# that is not over, or was killed: it is not garbage.
_GARBAGE = (
  f"{_UNUSED} AND key NOT IN (SELECT key FROM drafts)"
  " AND key IN (SELECT key FROM dropped)"
)


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
  [kept] = execute(f"SELECT count(*) FROM answers WHERE {_UNUSED}").fetchone()
  lines = [f"{deleted:,} answers deleted"]
  if kept:
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
