"""The journal: every response that was paid for, found by its request.

The journal's folder has one SQLite file for each machine, since machines cannot
share a write-ahead log. A thread reads, claims and stores for all waiting
requests in one transaction with one flush to the disk. So thousands of
responses a second are durable before they are used.
"""

import asyncio
import contextlib
import fcntl
import json
import pathlib
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from distill.answers.finish_reasons import is_whole
from distill.errors import UserError
from distill.teacher import journal_rows
from distill.teacher.interface import AskingError, Response

# Seconds in which further actions join the transaction of the first.
_GATHER_SECONDS = 0.02
# Seconds between two looks at a request that another process has sent.
_POLL_SECONDS = 0.2
_OTHERS = "asked by another process"

_Action = tuple[str, tuple[str, ...]]
_Results = list[str | None]


class Journal:
  """The responses in a folder, and which process sends which request now.

  Any number of processes of one machine may use it at once: a request that one
  process has sent is waited for by the others. Journals that other machines
  have left in the folder are imported when it is opened.
  """

  def __init__(self, folder: str | pathlib.Path) -> None:
    """Opens or creates the journal.

    Raises:
      UserError: The folder cannot be written, or holds a damaged journal.
    """
    if "://" in str(folder):
      raise UserError(
        "A journal needs a disk of this machine, which can lock files.",
        expected="a local folder",
        found=str(folder),
        remedy="give one by --journal_dir, and keep it",
      )
    self.folder = pathlib.Path(folder)
    self.path = self.folder / f"{_machine()}.sqlite"
    self._owner = uuid.uuid4().hex
    self._waiting: list[_Action] = []
    self._next: asyncio.Task[_Results] | None = None
    self._last: asyncio.Task[_Results] | None = None
    self._thread = ThreadPoolExecutor(1, "journal")
    try:
      self.folder.mkdir(parents=True, exist_ok=True)
      # The kernel frees the lock however this process ends.
      self._lock = self._lock_path(self._owner).open("w")
      fcntl.flock(self._lock, fcntl.LOCK_EX)
      self._writer = self._connect()
      self._reader = self._connect()
      self.take_over()
    except (OSError, sqlite3.Error) as error:
      raise _broken(self.path, error) from error

  async def begin(self, key: str, *older: str) -> Response | AskingError | None:
    """Returns the stored outcome of a request, or claims the request.

    While another running process has claimed it, this waits.

    Args:
      key: The request's key.
      *older: Keys that the outcome may be stored under instead.

    Returns:
      The outcome. None: the caller is to send the request.
    """
    keys = (key, *older)
    while (found := await self._submit("begin", *keys)) == _OTHERS:
      await asyncio.sleep(_POLL_SECONDS)
    return None if found is None else journal_rows.decode(found)

  async def store(
    self, key: str, content: str, outcome: Response | AskingError
  ) -> None:
    """Returns once the outcome of a claimed request is on the disk.

    Args:
      key: The request's key.
      content: The request's content, with its teacher.
      outcome: The response, or a permanent failure.
    """
    await self._submit("store", *journal_rows.encode(key, content, outcome))

  async def release(self, key: str) -> None:
    """Ends a claim without an outcome."""
    await self._submit("release", key)

  def look_up(self, *keys: str) -> Response | AskingError | None:
    """Returns the outcome under the first key that has one, or None."""
    select = "SELECT response FROM answers WHERE key = ?"
    for key in keys:
      found = self._reader.execute(
        f"{select} AND {journal_rows.ANSWERED}", (key,)
      ).fetchone()
      if found is not None:
        return journal_rows.decode(found[0])
    return None

  @contextlib.contextmanager
  def reading(self) -> Iterator[None]:
    """Makes the `use` calls in the context one transaction.

    Raises:
      UserError: The journal cannot be read or written.
    """
    with self._transaction(self._reader):
      yield

  def forget_uses(self, split: str) -> None:
    """Begins a new draft of the responses that a split uses."""
    with self._transaction(self._reader) as execute:
      execute("DELETE FROM drafts WHERE split = ?", (split,))

  def use(self, split: str, *keys: str) -> bool:
    """Notes in the draft that a split uses the responses under the keys.

    Returns:
      Whether any was not in the draft yet.
    """
    note = "INSERT OR IGNORE INTO drafts SELECT ?, key FROM answers WHERE key ="
    rows = [self._reader.execute(f"{note} ?", (split, key)) for key in keys]
    return any(row.rowcount > 0 for row in rows)

  def keep_uses(self, split: str, *, append: bool = False) -> None:
    """Makes the draft final once the split is written.

    Args:
      split: The split.
      append: Whether it still uses what it used before, too.
    """
    with self._transaction(self._reader) as execute:
      if not append:
        execute(
          "INSERT OR IGNORE INTO dropped SELECT key FROM uses WHERE split = ?",
          (split,),
        )
        execute("DELETE FROM uses WHERE split = ?", (split,))
      execute(
        "INSERT OR IGNORE INTO uses SELECT * FROM drafts WHERE split = ?",
        (split,),
      )
      execute("DELETE FROM drafts WHERE split = ?", (split,))

  def take_draft(self, split: str) -> list[journal_rows.Row]:
    """Returns the rows in a split's draft, and deletes the draft."""
    rows = self._reader.execute(
      "SELECT answers.* FROM answers JOIN drafts USING (key) WHERE split = ?",
      (split,),
    ).fetchall()
    self.forget_uses(split)
    return rows

  def is_shared(self) -> bool:
    """Returns whether another running process has the folder open."""
    owners = {path.stem for path in self.folder.glob("*.lock")}
    return any(map(self._lives, owners - {self._owner}))

  def take_over(self) -> None:
    """Imports the journals that other machines have left in the folder."""
    for path in sorted(self.folder.glob("*.sqlite")):
      version = journal_rows.version(path)
      known = self._writer.execute(
        "SELECT version FROM imported WHERE file = ?", (path.name,)
      ).fetchone()
      if path == self.path or known == (version,):
        continue
      with self._transaction(self._writer) as execute:
        self._writer.executemany(
          journal_rows.INSERT, journal_rows.read_copy(path)
        )
        execute(
          "INSERT OR REPLACE INTO imported VALUES (?, ?)", (path.name, version)
        )

  def close(self) -> None:
    """Stores what is still queued, and closes the file.

    Raises:
      UserError: It cannot be written.
    """
    self._thread.shutdown(wait=True)
    # An open transaction of the reader would block the writer.
    self._reader.close()
    try:
      self._transact(self._waiting)
      self._waiting = []
      with self._transaction(self._writer) as execute:
        execute("DELETE FROM claims WHERE owner = ?", (self._owner,))
    finally:
      self._writer.close()
      self._lock_path(self._owner).unlink(missing_ok=True)
      self._lock.close()

  def __enter__(self) -> Self:
    return self

  def __exit__(self, kind: object, error: object, trace: object) -> None:
    try:
      self.close()
    except UserError:
      # The user must see the first failure.
      if error is None:
        raise

  @contextlib.contextmanager
  def _transaction(
    self, connection: sqlite3.Connection
  ) -> Iterator[Callable[..., sqlite3.Cursor]]:
    """Gives `execute`; commits at the end of the context, or rolls back."""
    try:
      connection.execute("BEGIN IMMEDIATE")
      with connection:
        yield connection.execute
    except sqlite3.Error as error:
      raise _broken(self.path, error) from error

  def _connect(self) -> sqlite3.Connection:
    connection = sqlite3.connect(
      self.path, timeout=60, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    # Survives a crash of the machine, not only of the process.
    connection.execute("PRAGMA synchronous=FULL")
    connection.executescript(journal_rows.SCHEMA)
    connection.create_function("is_whole", 1, is_whole, deterministic=True)
    return connection

  async def _submit(self, name: str, *values: str) -> str | None:
    """Returns the result of an action, once its transaction is on the disk."""
    place = len(self._waiting)
    self._waiting.append((name, values))
    if self._next is None:
      self._next = asyncio.create_task(self._transact_next(self._last))
      self._last = self._next
    return (await asyncio.shield(self._next))[place]

  async def _transact_next(
    self, last: "asyncio.Task[_Results] | None"
  ) -> _Results:
    """Makes one transaction of all waiting actions, after the last one."""
    try:
      await asyncio.sleep(_GATHER_SECONDS)
      if last is not None and not last.done():
        await asyncio.wait([last])
    finally:
      # Also in a run that was ended: the next run has a loop of its own.
      self._next = None
    actions, self._waiting = self._waiting, []
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(self._thread, self._transact, actions)

  def _transact(self, actions: Sequence[_Action]) -> _Results:
    if not actions:
      return []
    # One statement for each kind of action: a statement for each action would
    # pass the interpreter's lock back and forth.
    asked = [keys for name, keys in actions if name == "begin"]
    stored = [row for name, row in actions if name == "store"]
    ended = [key for name, (key, *_) in actions if name != "begin"]
    with self._transaction(self._writer):
      self._store(stored)
      self._release(ended)
      found = self._begin(asked)
    return [
      found.get(key) if name == "begin" else None for name, (key, *_) in actions
    ]

  def _begin(self, asked: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Returns the stored outcomes, and claims the other keys if it can."""
    execute = self._writer.execute
    stored = dict(
      execute(
        f"SELECT key, response FROM answers WHERE {journal_rows.ANSWERED}"
        " AND key IN (SELECT value FROM json_each(?))",
        (json.dumps([key for keys in asked for key in keys]),),
      )
    )
    found = {
      keys[0]: stored[key]
      for keys in asked
      for key in reversed(keys)
      if key in stored
    }
    missing = json.dumps([key for key, *_ in asked if key not in found])
    claim = (
      "INSERT OR IGNORE INTO claims SELECT value, ? FROM json_each(?)",
      (self._owner, missing),
    )
    execute(*claim)
    others = execute(
      "SELECT key, owner FROM claims WHERE owner != ? AND key IN"
      " (SELECT value FROM json_each(?))",
      (self._owner, missing),
    ).fetchall()
    dead = [owner for owner in {o for _, o in others} if not self._lives(owner)]
    for owner in dead:
      execute("DELETE FROM claims WHERE owner = ?", (owner,))
    if dead:
      execute(*claim)
    found |= {key: _OTHERS for key, owner in others if owner not in dead}
    return found

  def _store(self, rows: Sequence[Sequence[str]]) -> None:
    columns = ", ".join(f"value ->> {place}" for place in range(4))
    self._writer.execute(
      f"INSERT INTO answers SELECT {columns}, ? FROM json_each(?) WHERE true"
      f" {journal_rows.ON_CONFLICT}",
      (round(time.time(), 3), json.dumps(rows)),
    )

  def _release(self, keys: Sequence[str]) -> None:
    self._writer.execute(
      "DELETE FROM claims WHERE owner = ? AND key IN"
      " (SELECT value FROM json_each(?))",
      (self._owner, json.dumps(keys)),
    )

  def _lock_path(self, owner: str) -> pathlib.Path:
    return self.folder / f"{owner}.lock"

  def _lives(self, owner: str) -> bool:
    """Returns whether the process of an owner still runs."""
    path = self._lock_path(owner)
    try:
      with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
      return False
    except BlockingIOError:
      return True
    path.unlink(missing_ok=True)
    return False


def _machine() -> str:
  """Returns a name that no two machines share, even cloned ones."""
  address = uuid.getnode()
  # Where there is no address Python makes one up, and sets this bit.
  made_up = address >> 40 & 1
  name = socket.gethostname()
  return name if made_up else f"{name}-{address:012x}"


def _broken(path: pathlib.Path, error: BaseException) -> UserError:
  return UserError(
    f"The journal {path} cannot be used.",
    expected="a journal of this project, or none yet, on a local disk with"
    " free space",
    found=str(error),
    remedy="correct its permissions, free space, or set --journal_dir",
  )
