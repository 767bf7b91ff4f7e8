"""The journal: killed, shared, damaged, and still right."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from distill.answers.rules import NumberAnswer
from distill.commands import cache_journal as journal_command
from distill.data.examples import Example
from distill.errors import UserError
from distill.teacher import asking, collecting, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.collecting import Reading
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.journal import Journal

QUESTIONS = 200
# What `distill cache ask` does before TensorFlow's turn comes.
SCRIPT = """
import json, sys
from distill.data.examples import Example
from distill.teacher import collecting, journal, openai, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.collecting import Reading
from distill.answers.rules import NumberAnswer
url, folder, count, out = sys.argv[1:]
questions = [Example(str(i), f"What is {i}?", "") for i in range(int(count))]
template = prompts.load_prompt("few_shot_svamp")
with journal.Journal(folder) as kept:
  collection = Collection(
    openai.OpenAITeacher("steady", url),
    styles.FewShot(template, NumberAnswer()),
    samples=2,
    journal=kept,
  )
  failed = collecting.ask_all(questions, collection, "failed.jsonl")
  with open(out, "w") as file:
    for found in Reading(questions, collection, "train"):
      file.write(json.dumps([one.completion.__dict__ for one in found]) + "\\n")
assert not failed
heavy = {"tensorflow", "jax", "seqio", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
REQUEST = Request("Q: 1 + 1?\nA:")
ANSWER = Response("2", "stop", 3, 1, (-0.5,), "Hm.", "gpt")
REFUSAL = AskingError("unsupported", "", False)


def start(server, folder, out):
  command = [sys.executable, "-c", SCRIPT, server.url, folder]
  return subprocess.Popen([*map(str, command), str(QUESTIONS // 2), str(out)])


def stored(folder):
  """Returns how many answers a journal holds, as anyone would look."""
  count = 0
  for path in folder.glob("*.sqlite"):
    with contextlib.closing(sqlite3.connect(path)) as connection:
      [count] = connection.execute("SELECT count(*) FROM answers").fetchone()
  return count


def check_kills(start_server, folder, seeds):
  """Kills a run at a random moment for each seed, then lets one end."""
  server = start_server("--delay=0.1", "--slots=50")
  assert start(server, folder / "whole", folder / "whole.jsonl").wait() == 0
  lines = (folder / "whole.jsonl").read_text()
  assert lines.count("So the answer is") == QUESTIONS
  moments = []
  for seed in seeds:
    journal = folder / str(seed)
    served = server.stats()["answered"]
    run = start(server, journal, folder / "never.jsonl")
    # From before the first request to after the last.
    moment = random.Random(seed).randrange(QUESTIONS)
    while run.poll() is None and server.stats()["answered"] < served + moment:
      time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    time.sleep(0.15)  # for what the server still has in its hands
    kept, served = stored(journal), server.stats()["answered"]
    moments.append(kept)
    out = folder / f"{seed}.jsonl"
    assert start(server, journal, out).wait() == 0
    assert out.read_text() == lines
    assert server.stats()["answered"] - served == QUESTIONS - kept
  return moments


def test_after_a_kill_the_result_is_the_same_and_nothing_stored_is_requested(
  start_server, tmp_path
):
  moments = check_kills(start_server, tmp_path, range(5))
  assert any(0 < kept < QUESTIONS for kept in moments)


@pytest.mark.long
def test_killed_at_fifty_moments(start_server, tmp_path):
  moments = check_kills(start_server, tmp_path, range(5, 55))
  assert sum(0 < kept < QUESTIONS for kept in moments) > 20


def test_two_processes_share_requests(start_server, tmp_path):
  server = start_server("--delay=0.1")
  runs = [
    start(server, tmp_path / "journal", tmp_path / f"{i}.jsonl")
    for i in range(2)
  ]
  assert [run.wait() for run in runs] == [0, 0]
  assert server.stats()["answered"] == QUESTIONS
  one, other = (tmp_path / f"{i}.jsonl" for i in range(2))
  assert one.read_text() == other.read_text()


def keep(folder, outcome=ANSWER):
  """Stores an outcome for REQUEST; returns what a new journal finds."""

  async def store(journal):
    key = REQUEST.key("gpt")
    found = await journal.begin(key)
    if found is None:
      await journal.store(key, REQUEST.content("gpt"), outcome)
    return found

  with Journal(folder) as journal:
    return asyncio.run(store(journal))


def write_version_0(folder, outcome, request=REQUEST):
  """Writes the journal that version 0 would have left, with one answer."""
  fields = {**request.__dict__, "teacher": "gpt"}
  content = json.dumps(fields, sort_keys=True)
  key = hashlib.sha256(content.encode()).hexdigest()
  with Journal(folder) as journal:
    asyncio.run(journal.store(key, content, outcome))
    path = journal.path
  with contextlib.closing(sqlite3.connect(path)) as connection:
    connection.execute("DROP TABLE drafts")
    connection.execute("DROP TABLE dropped")
  return key


class Counting:
  """Answers with ANSWER, and counts."""

  name = "gpt"
  asked = 0

  async def complete(self, request):
    self.asked += 1
    return ANSWER


def ask(folder):
  """Asks for REQUEST; returns the answer and how often a teacher was asked."""
  teacher = Counting()
  with Journal(folder) as journal:
    response = asyncio.run(asking.Asker(teacher, journal).ask(REQUEST))
  return response, teacher.asked


def test_answers_of_version_0_are_found_and_are_whole(tmp_path, capsys):
  old = dataclasses.replace(ANSWER, text="3")
  write_version_0(tmp_path, old)
  assert ask(tmp_path) == (old, 0)
  with Journal(tmp_path) as journal:
    assert journal.look_up(*REQUEST.keys("gpt")) == old
    # A copy of it that another machine left is believed, too.
    there = journal.path
  (tmp_path / "ours").mkdir()
  shutil.copy(there, tmp_path / "ours" / "elsewhere.sqlite")
  assert ask(tmp_path / "ours") == (old, 0)
  assert journal_command.main(["verify", str(tmp_path)]) == 0
  assert "whole" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", " \n\t", None])
def test_an_empty_answer_of_version_0_is_requested_again_once(tmp_path, text):
  write_version_0(tmp_path, Response(text, "stop", 3, 0))
  assert ask(tmp_path) == (ANSWER, 1)
  assert ask(tmp_path) == (ANSWER, 0)
  assert journal_command.main(["verify", str(tmp_path)]) == 0


def test_an_answer_that_was_cut_short_at_once_is_not_paid_for_again(tmp_path):
  cut = Response("", "length", 3, 256)
  write_version_0(tmp_path, cut)
  assert ask(tmp_path) == (cut, 0)


def test_an_answer_overwrites_only_an_empty_one(tmp_path):
  keep(tmp_path, Response("", "stop", 3, 0))
  assert keep(tmp_path, ANSWER) is None
  assert keep(tmp_path, REFUSAL) == ANSWER

  async def store(journal):
    key = REQUEST.key("gpt")
    await journal.store(key, REQUEST.content("gpt"), REFUSAL)

  with Journal(tmp_path) as journal:
    asyncio.run(store(journal))
    assert journal.look_up(REQUEST.key("gpt")) == ANSWER


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt, UserError])
def test_a_failure_while_answers_are_read_is_raised_at_once(tmp_path, failure):
  keep(tmp_path)
  begun = time.monotonic()
  with pytest.raises(failure, match="disk full"):
    with Journal(tmp_path) as journal:
      journal.forget_uses("train")
      with journal.reading():
        assert journal.use("train", REQUEST.key("gpt"))
        raise failure("disk full")
  assert time.monotonic() - begun < 10
  assert ask(tmp_path) == (ANSWER, 0)


def test_a_process_that_writes_shards_does_not_block_another(tmp_path):
  questions = [Example(str(i), f"What is {i}?", "") for i in range(3)]
  with Journal(tmp_path) as journal:
    style = styles.FewShot(
      prompts.load_prompt("few_shot_svamp"), NumberAnswer()
    )
    collection = Collection(Counting(), style, journal=journal)
    collecting.ask_all(questions, collection, "failed.jsonl")
    answers = iter(Reading(questions, collection, "train"))
    next(answers)
    # The first shard is being written now.
    begun = time.monotonic()
    with Journal(tmp_path) as other:
      asked = asking.Asker(Counting(), other).ask(REQUEST)
      assert asyncio.run(asked) == ANSWER
    assert time.monotonic() - begun < 10
    assert len(list(answers)) == 2


def test_what_is_stored_is_found(tmp_path):
  assert keep(tmp_path) is None
  assert keep(tmp_path) == ANSWER
  with Journal(tmp_path) as journal:
    assert journal.look_up(REQUEST.key("gpt")) == ANSWER
    assert journal.look_up(REQUEST.key("gpt-2")) is None
  assert [path.suffix for path in tmp_path.iterdir()] == [".sqlite"]


def test_a_lasting_failure_is_stored_as_one(tmp_path):
  keep(tmp_path, AskingError("unsupported", "no schemas", False))
  found = keep(tmp_path)
  assert (found.kind, found.detail) == ("unsupported", "no schemas")


def test_journals_of_other_machines_are_imported_without_damaged_rows(tmp_path):
  keep(tmp_path / "other")
  [theirs] = (tmp_path / "other").glob("*.sqlite")
  ours = tmp_path / "ours"
  ours.mkdir()
  shutil.copy(theirs, ours / "elsewhere.sqlite")
  assert keep(ours) == ANSWER
  with contextlib.closing(sqlite3.connect(theirs)) as connection, connection:
    connection.execute("UPDATE answers SET response = '{}'")
  damaged = tmp_path / "damaged"
  damaged.mkdir()
  shutil.copy(theirs, damaged / "elsewhere.sqlite")
  assert keep(damaged) is None
  # A file without any sense does not keep this machine from asking.
  (damaged / "broken.sqlite").write_bytes(b"SQLite format 3\0" + b"?" * 5000)
  assert keep(damaged) == ANSWER


def test_a_folder_that_cannot_hold_a_journal_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="file/journal"):
    Journal(tmp_path / "file" / "journal")
  with pytest.raises(UserError, match="a disk of this machine"):
    Journal("gs://bucket/journal")
