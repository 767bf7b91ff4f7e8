"""The command on journals: what it counts, checks, repairs and deletes."""

import asyncio
import contextlib
import sqlite3

import pytest

from distill import errors
from distill.commands import cache_journal
from distill.teacher.interface import Request, Response
from distill.teacher.journal import Journal

ANSWER = Response("2", "stop", 3, 1)
REQUESTS = [Request(f"Q: {number} + 1?\nA:") for number in range(6)]
KEYS = [request.key("gpt") for request in REQUESTS]


def store(folder, requests=REQUESTS):
  async def store_all(journal):
    for request in requests:
      await journal.store(request.key("gpt"), request.content("gpt"), ANSWER)

  with Journal(folder) as journal:
    asyncio.run(store_all(journal))


def write_split(journal, keys):
  """Notes what the command notes while and after it writes a split."""
  journal.forget_uses("train")
  for key in keys:
    journal.use("train", key)
  journal.keep_uses("train")


@pytest.fixture
def look(tmp_path, capsys):
  def look(*argv):
    argv = [argv[0], str(tmp_path), *argv[1:]]
    code = errors.run_command(cache_journal.main, argv)
    said = capsys.readouterr()
    return code, said.out + said.err

  return look


def test_answers_are_counted_and_those_that_a_split_dropped_deleted(
  tmp_path, look
):
  store(tmp_path)
  with Journal(tmp_path) as journal:
    write_split(journal, KEYS)
    write_split(journal, KEYS[:4])
  code, said = look("stats")
  assert code == 0
  assert "gpt: 6 answers; 18 tokens read, 6 written" in said
  assert "2 answers are used by no cached split" in said
  assert "2 answers deleted" in look("gc")[1]
  assert "gpt: 4 answers" in look("stats")[1]


def test_a_damaged_answer_is_found_and_repaired_away(tmp_path, look):
  store(tmp_path)
  assert look("verify")[0] == 0
  [path] = tmp_path.glob("*.sqlite")
  with contextlib.closing(sqlite3.connect(path)) as connection, connection:
    connection.execute(
      "UPDATE answers SET response = replace(response, '2', '3') WHERE key = ?",
      KEYS[:1],
    )
  code, said = look("verify")
  assert code == 1 and f"{KEYS[0]} is damaged" in said
  assert look("verify", "--repair")[0] == 0 and "whole" in look("verify")[1]
  with Journal(tmp_path) as journal:
    found = [journal.look_up(key) for key in KEYS]
  assert found == [None] + [ANSWER] * 5


def test_gc_keeps_what_was_paid_for_until_a_written_split_drops_it(
  tmp_path, look
):
  key = KEYS[0]
  store(tmp_path, REQUESTS[:1])
  # Killed before any shard was written, and then in the middle of it.
  assert "0 answers deleted" in look("gc")[1]
  with Journal(tmp_path) as journal:
    journal.use("train", key)
  assert "0 answers deleted" in look("gc")[1]
  with Journal(tmp_path) as journal:
    write_split(journal, [key])
    # Killed while the split is written anew, without this answer.
    journal.forget_uses("train")
  assert "0 answers deleted" in look("gc")[1]
  with Journal(tmp_path) as journal:
    journal.keep_uses("train")
    # Not even now while a process that lives could still use it.
    assert "running process" in look("gc")[1]
    assert journal.look_up(key) == ANSWER
  assert "1 answers deleted" in look("gc")[1]
  # Paid for once more, it is new again.
  store(tmp_path, REQUESTS[:1])
  assert "0 answers deleted" in look("gc")[1]


def test_a_folder_without_a_journal_is_named(tmp_path, capsys):
  argv = ["stats", f"{tmp_path}/none"]
  code = errors.run_command(cache_journal.main, argv)
  assert code == errors.USER_ERROR_EXIT
  assert f"{tmp_path}/none" in capsys.readouterr().err
