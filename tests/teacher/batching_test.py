"""Batch files: submitted once, whatever dies, and stored like any answer."""

import asyncio
import datetime
import json

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.errors import UserError
from distill.teacher import batching, collecting, styles
from distill.teacher.attempts import Collection, Judge
from distill.teacher.collecting import Reading
from distill.teacher.interface import AskingError
from distill.teacher.journal import Journal
from distill.teacher.openai import OpenAITeacher
from distill.teacher.prices import Budget, Price
from distill.teacher.prompts import PromptTemplate

QUESTIONS = [Example(str(i), f"What is {i}?", "") for i in range(20)]


class DiedError(Exception):
  """The process was killed here."""


def ask(server, folder, model="steady", dies_at=None):
  """Runs until it ends or 'dies'; returns failures and what was said."""
  said = []

  def say(line):
    said.append(line)
    if len(said) == dies_at:
      raise DiedError

  teacher = OpenAITeacher(model, server.url)
  with Journal(folder) as journal:
    collection = Collection(
      teacher,
      styles.ZeroShotTwoSteps(NumberAnswer()),
      journal=journal,
      poll_seconds=0.0,
    )
    asyncio.run(
      batching.ask_by_batches(QUESTIONS, collection, Budget(None), say)
    )
    return [len(found) for found in Reading(QUESTIONS, collection, "t")], said


def test_a_style_of_two_steps_takes_two_batches(server, tmp_path):
  found, said = ask(server, tmp_path)
  assert found == [1] * 20 and server.stats()["requests"] == 40
  assert sum("submitting" in line for line in said) == 2
  assert ask(server, tmp_path) == (found, [])
  # The files are those that `vllm run-batch` reads.
  first, *_ = sorted(tmp_path.glob("batch-*.jsonl"))
  rows = [json.loads(line) for line in first.read_text().splitlines()]
  assert len({row["custom_id"] for row in rows}) == 20
  assert rows[0]["url"] == "/v1/chat/completions"
  assert rows[0]["body"]["model"] == "steady"


def test_a_refused_parameter_is_left_out_of_the_next_batch(
  server, tmp_path, capsys
):
  found, said = ask(server, tmp_path, model="lacks-temperature")
  # Refused once, then two steps of the style.
  assert found == [1] * 20 and server.stats()["requests"] == 60
  assert sum("submitting" in line for line in said) == 3
  assert "temperature is no longer sent" in capsys.readouterr().err


def test_a_killed_run_resumes_and_submits_nothing_twice(server, tmp_path):
  # At the first submission, at a look, at the second submission, …
  for moment in (1, 2, 1, 2, 3, 1):
    with pytest.raises(DiedError):
      ask(server, tmp_path, dies_at=moment)
  assert ask(server, tmp_path)[0] == [1] * 20
  assert server.stats()["requests"] == 40


def test_a_batch_is_found_after_a_kill_before_its_id_was_noted(
  server, tmp_path
):
  with pytest.raises(DiedError):
    ask(server, tmp_path, dies_at=2)
  path = tmp_path / "batch.json"
  state = json.loads(path.read_text())
  path.write_text(json.dumps({k: state[k] for k in ("name", "most")}))
  assert ask(server, tmp_path)[0] == [1] * 20
  assert server.stats()["requests"] == 40


def test_a_batch_is_found_behind_other_batches_of_the_account(
  server, tmp_path, monkeypatch
):
  monkeypatch.setattr(batching, "_BATCHES_A_PAGE", 2)
  with pytest.raises(DiedError):
    ask(server, tmp_path, dies_at=2)
  path = tmp_path / "batch.json"
  state = json.loads(path.read_text())
  # Two pages and a half of others, submitted since by other runs.
  for number in range(3):
    ask(server, tmp_path / str(number), model=f"steady-{number}")
  before = server.stats()["requests"]
  path.write_text(json.dumps({k: state[k] for k in ("name", "most")}))
  assert ask(server, tmp_path)[0] == [1] * 20
  # The second step of the style, and nothing of the first.
  assert server.stats()["requests"] == before + 20


def test_a_batch_is_within_the_server_s_limits(server, tmp_path, monkeypatch):
  # https://platform.openai.com/docs/guides/batch
  assert (batching._MOST_REQUESTS, batching._MOST_BYTES) == (
    50_000,
    200 * 10**6,
  )
  monkeypatch.setattr(batching, "_MOST_BYTES", 2500)
  found, said = ask(server, tmp_path)
  assert found == [1] * 20 and server.stats()["requests"] == 40
  sizes = [path.stat().st_size for path in tmp_path.glob("batch-*.jsonl")]
  assert len(sizes) == sum("submitting" in line for line in said) > 4
  assert max(sizes) <= 2500 and sorted(sizes)[len(sizes) // 2] > 1500
  # One request that is longer than all is the server's to refuse.
  monkeypatch.setattr(batching, "_MOST_BYTES", 10)
  assert ask(server, tmp_path / "each")[0] == [1] * 20


def test_a_refused_batch_shows_the_server_s_own_errors(
  server, tmp_path, capsys
):
  teacher = OpenAITeacher("refused-batch", server.url)
  with Journal(tmp_path) as journal:
    collection = Collection(
      teacher,
      styles.ZeroShotOneStep(NumberAnswer()),
      journal=journal,
      poll_seconds=0.0,
    )
    failed = collecting.ask_all(QUESTIONS[:3], collection, "failed.jsonl")
  assert failed.total() == 3
  assert "failed: line 2: no such model" in capsys.readouterr().err
  lines = (tmp_path / "failed.jsonl").read_text().splitlines()
  assert "line 2: no such model" in json.loads(lines[0])["said"]
  assert not (tmp_path / "batch.json").exists()


def test_an_empty_answer_in_a_batch_is_a_failure(server, tmp_path):
  teacher = OpenAITeacher("some-null", server.url)
  with Journal(tmp_path) as journal:
    collection = Collection(
      teacher,
      styles.ZeroShotOneStep(NumberAnswer()),
      journal=journal,
      poll_seconds=0.0,
    )
    for _ in range(2):
      failed = collecting.ask_all(QUESTIONS, collection, "failed.jsonl")
      assert 0 < failed.total() < 20
  # The second run requests only these.
  assert server.stats()["requests"] == 20 + failed.total()


def test_failures_in_a_batch_are_reported(server, tmp_path):
  teacher = OpenAITeacher("some-400", server.url)
  with Journal(tmp_path) as journal:
    collection = Collection(
      teacher,
      styles.ZeroShotOneStep(NumberAnswer()),
      journal=journal,
      poll_seconds=0.0,
    )
    failed = collecting.ask_all(QUESTIONS, collection, "failed.jsonl")
  lines = (tmp_path / "failed.jsonl").read_text().splitlines()
  assert 0 < failed.total() == len(lines) < 20
  assert json.loads(lines[0])["said"] == "HTTP 400: bad"
  assert server.stats()["requests"] == 20


def test_other_teachers_have_no_batches(tmp_path):
  class Other:
    name = "other"

  with Journal(tmp_path) as journal:
    collection = Collection(
      Other(),
      styles.ZeroShotOneStep(NumberAnswer()),
      journal=journal,
      poll_seconds=0.0,
    )
    with pytest.raises(UserError, match="teacher=openai"):
      collecting.ask_all(QUESTIONS, collection, "failed.jsonl")


def test_a_batch_that_could_cost_too_much_is_not_sent(server, tmp_path):
  # A dollar a byte read: 20 prompts of 60 bytes, and at most 64 around each.
  price = Price("steady", 1e6, 0.0, "a page", datetime.date(2026, 1, 31))
  template = PromptTemplate("plain", "Q: {input}" + 44 * " " + "\nA:", "")
  length = 20 * (len("Q: What is 1?") + 44 + 3 + 64) + 10

  def ask(max_cost):
    with Journal(tmp_path) as journal:
      collection = Collection(
        OpenAITeacher("steady", server.url),
        styles.FewShot(template, NumberAnswer()),
        journal=journal,
        price=price,
        max_cost=max_cost,
        poll_seconds=0.0,
      )
      return collecting.ask_all(QUESTIONS, collection, "failed.jsonl")

  for _ in range(2):
    with pytest.raises(AskingError, match="budget"):
      ask(length - 1)
  assert not server.stats()["requests"]
  assert not ask(length) and server.stats()["requests"] == 20


def test_the_judge_of_a_batch_gets_single_requests(server, tmp_path):
  with Journal(tmp_path) as journal:
    collection = Collection(
      OpenAITeacher("steady", server.url),
      styles.ZeroShotOneStep(NumberAnswer()),
      journal=journal,
      judge=Judge(OpenAITeacher("always-yes", server.url)),
      poll_seconds=0.0,
    )
    for _ in range(2):
      assert not collecting.ask_all(QUESTIONS, collection, "failed.jsonl")
    assert server.stats()["requests"] == 40
    answers = [answer for [answer] in Reading(QUESTIONS, collection, "t")]
  assert {answer.verdict for answer in answers} == {1}
