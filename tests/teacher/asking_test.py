"""Asking through the journal: nothing lost, nothing twice, nothing too fast."""

import asyncio
import gc
import time

import pytest

from distill.errors import UserError
from distill.teacher import asking, prices
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits, RetryPolicy
from distill.teacher.openai import OpenAITeacher

QUICK = RetryPolicy(first=0.01, longest=0.05, timeout=0.6)


def jobs_for(prompts):
  """One job a prompt: asks it, returns the text."""

  def job(prompt):
    async def work(ask):
      return (await ask(Request(prompt))).text

    return work

  return map(job, prompts)


class NoJournal:
  """Stores nothing."""

  async def begin(self, key, *older):
    return None

  async def store(self, key, content, outcome):
    pass

  async def release(self, key):
    pass


def run(teacher, prompts, journal=None, policy=QUICK, **options):
  """Returns texts and kinds of failures by number, and the asker."""
  results, failures = {}, {}

  async def main():
    asker = asking.Asker(
      teacher, journal or NoJournal(), policy=policy, **options
    )
    try:
      await asking.run_jobs(
        jobs_for(prompts),
        asker,
        on_result=results.__setitem__,
        on_failure=lambda number, error: failures.update({number: error}),
      )
    finally:
      await asker.close()
    return asker

  asker = asyncio.run(main())
  return results, failures, asker


class CountingTeacher:
  """Answers each prompt with itself, and counts."""

  name = "counting"

  def __init__(self, seconds=0.0, failure=None):
    self.seconds, self.failure = seconds, failure
    self.asked, self.under_way, self.most = [], 0, 0

  async def complete(self, request):
    self.asked.append(request.prompt)
    self.under_way += 1
    self.most = max(self.most, self.under_way)
    await asyncio.sleep(self.seconds)
    self.under_way -= 1
    if self.failure and request.prompt == "bad":
      raise self.failure
    return Response(request.prompt + "!", "stop", 1, 2)


def test_every_fault_is_survived_and_every_answer_arrives(server, tmp_path):
  teacher = OpenAITeacher("faulty", server.url)
  prompts = [f"question {i}" for i in range(90)]
  with Journal(tmp_path) as journal:
    results, failures, asker = run(teacher, prompts, journal)
  assert not failures and sorted(results) == list(range(90))
  assert len(set(results.values())) == 90
  assert asker.tally.answered == 90 and asker.tally.retried > 50
  before = server.stats()
  # Each was answered once and stored: nothing is asked again, in no order.
  with Journal(tmp_path) as journal:
    again, _, asker = run(teacher, prompts[::-1], journal)
  assert {89 - n: text for n, text in again.items()} == results
  assert asker.tally.cached == 90 and server.stats() == before


def test_identical_requests_are_asked_once(tmp_path):
  teacher = CountingTeacher(0.01)
  with Journal(tmp_path) as journal:
    results, _, asker = run(teacher, ["a", "b", "a"] * 50, journal)
  assert sorted(teacher.asked) == ["a", "b"]
  assert len(results) == 150 and results[2] == "a!"
  assert (asker.tally.answered, asker.tally.cached) == (2, 148)


@pytest.mark.parametrize(
  "model, kind",
  [
    ("always-500", "server"),
    ("always-429", "rate_limited"),
    ("always-400", "refused"),
    ("always-says-", "empty"),
    ("always-finish-error", "server"),
    ("always-malformed-json", "malformed"),
    ("always-empty-choices", "malformed"),
    ("always-huge", "too_large"),
    ("always-cut", "connection"),
    ("always-drip", "timeout"),
  ],
)
def test_a_lasting_failure_ends_the_retries(server, tmp_path, model, kind):
  policy = RetryPolicy(attempts=2, first=0.01, timeout=0.5)
  if kind == "too_large":
    policy = RetryPolicy(attempts=2, first=0.01, timeout=20)
  with Journal(tmp_path) as journal:
    teacher = OpenAITeacher(model, server.url)
    results, failures, asker = run(teacher, ["q"], journal, policy)
    assert not results and failures[0].kind == kind
    assert AskingError.KINDS[kind] and str(failures[0]).isprintable()
    once = kind in ("refused", "wrong_model", "empty")
    assert server.stats()["requests"] == (1 if once else 2)
    # The failure is no answer: it is not stored.
    assert journal.look_up(Request("q").key(teacher.name)) is None


@pytest.mark.parametrize(
  "fault, said",
  [
    ("401", "fault"),
    ("404", "fault"),
    ("redirect", "elsewhere"),
    ("wrapped-402", "so it is"),
    ("wrapped-invalid_api_key", "so it is"),
    ("named-llama-0", "llama-0"),
  ],
)
def test_a_fatal_failure_stops_the_run_after_one_request(
  server, tmp_path, fault, said
):
  teacher = OpenAITeacher(f"always-{fault}", server.url)
  with Journal(tmp_path) as journal:
    prompts = map(str, range(999))
    _, failures, asker = run(teacher, prompts, journal, QUICK)
  assert asker.stopped.fatal and said in str(asker.stopped)
  assert server.stats()["requests"] == 1


@pytest.mark.parametrize("fault", ["400", "says-", "malformed-json"])
def test_equal_refusals_in_a_row_stop_the_run(server, tmp_path, fault):
  teacher = OpenAITeacher(f"always-{fault}", server.url)
  with Journal(tmp_path) as journal:
    prompts = map(str, range(999))
    _, failures, asker = run(teacher, prompts, journal, QUICK)
  assert "10 requests in a row" in str(asker.stopped)
  assert server.stats()["requests"] < 40


def test_refusals_of_some_requests_do_not_stop_the_run(server, tmp_path):
  teacher = OpenAITeacher("some-400", server.url)
  prompts = [f"question {i}" for i in range(120)]
  for _ in range(2):
    # The second time all that is left to ask is refused.
    with Journal(tmp_path) as journal:
      results, failures, asker = run(teacher, prompts, journal)
    assert not asker.stopped and len(failures) > 15
    assert len(results) + len(failures) == 120


def test_time_outs_are_reported_once_and_stop_the_run(server, tmp_path, capfd):
  teacher = OpenAITeacher("always-hang", server.url)
  policy = RetryPolicy(first=0.01, longest=0.05, timeout=0.4)
  with Journal(tmp_path) as journal:
    prompts = map(str, range(999))
    _, failures, asker = run(teacher, prompts, journal, policy)
  assert asker.stopped.kind == "timeout"
  assert server.stats()["requests"] < 60
  said = capfd.readouterr().err
  assert said.count("wait to be sent") == 1 and "no whole answer" in said


def test_a_rate_limit_within_a_reply_of_200_is_retried(server, tmp_path):
  teacher = OpenAITeacher("first-wrapped-429", server.url)
  with Journal(tmp_path) as journal:
    results, failures, asker = run(teacher, map(str, range(40)), journal)
  assert len(results) == 40 and asker.tally.retried == 40


def test_the_api_key_is_in_no_message_and_no_file(
  server, tmp_path, monkeypatch
):
  monkeypatch.setenv("MY_KEY", "sk-Secret1234567890")
  with Journal(tmp_path) as journal:
    for model in ("always-echo-key", "always-400"):
      teacher = OpenAITeacher(model, server.url, "MY_KEY")
      results, failures, _ = run(teacher, ["q"], journal)
      said = f"{results} {failures} {teacher!r} {teacher.name}"
      assert "[key]" in said and "Secret" not in said
    teacher = OpenAITeacher("steady", "http://127.0.0.1:9/v1", "MY_KEY")
    _, failures, _ = run(teacher, ["q"], journal, RetryPolicy(attempts=1))
    assert failures[0].kind == "connection"
    assert "Secret" not in f"{failures[0]!r} {failures[0].__cause__}"
  for path in tmp_path.iterdir():
    assert b"Secret" not in path.read_bytes()


def test_an_unsupported_schema_is_stored_and_not_requested_again(
  server, tmp_path
):
  teacher = OpenAITeacher("always-no-schema", server.url)
  request = Request("q", schema='{"type": "object"}')

  async def ask(journal):
    asker = asking.Asker(teacher, journal)
    with pytest.raises(AskingError, match="unsupported"):
      await asker.ask(request)
    await asker.close()

  for _ in range(2):
    with Journal(tmp_path) as journal:
      asyncio.run(ask(journal))
  assert server.stats()["requests"] == 1


def test_concurrency_adapts_to_the_server(start_server, tmp_path):
  server = start_server("--delay=0.05", "--slots=40")
  teacher = OpenAITeacher("steady", server.url)
  with Journal(tmp_path) as journal:
    results, failures, asker = run(teacher, map(str, range(1500)), journal)
  stats = server.stats()
  assert len(results) == 1500 and not failures
  assert stats["most_at_once"] == 40 and asker.limiter.concurrency >= 10
  # How many are refused while the client learns the limit, and the concurrency
  # at the end, depend on the load of the machine; limits_test checks them.
  assert stats["refused"] < 1500


def test_limits_on_concurrency_and_rates_are_kept():
  teacher = CountingTeacher(0.01)
  limits = Limits(max_concurrency=3)
  run(teacher, map(str, range(60)), limits=limits)
  assert teacher.most == 3
  begun = time.monotonic()
  limits = Limits(requests_per_minute=1200)
  run(CountingTeacher(), map(str, range(40)), limits=limits)
  # 20 a second, of which the first second's may go at once.
  assert 0.9 < time.monotonic() - begun < 3


def test_a_stop_does_not_wait_for_the_rates():
  teacher = CountingTeacher(failure=AskingError("quota", "", False))
  limits = Limits(requests_per_minute=120)
  begun = time.monotonic()
  prompts = ["bad", *map(str, range(300))]
  _, _, asker = run(teacher, prompts, limits=limits)
  assert asker.stopped.kind == "quota" and time.monotonic() - begun < 10
  assert len(teacher.asked) < 20


def test_no_request_can_exceed_the_budget():
  price = prices.Price("m", 1.0, 1.0, "here", None)
  budget = prices.Budget(price, prices.Purse(0.002))
  teacher = CountingTeacher(0.001)
  prompts = [str(i) for i in range(5000)]
  results, _, asker = run(teacher, prompts, budget=budget)
  assert asker.stopped.kind == "budget" and 0 < len(results) < 5000
  # Nearly all of it: each answer cost 3 tokens, and one could cost about 330.
  assert 0.0016 < asker.budget.spent <= 0.002
  with pytest.raises(UserError, match="price is not known"):
    prices.Budget(None, prices.Purse(1.0))


def test_a_bug_in_a_teacher_reaches_the_caller():
  teacher = CountingTeacher(failure=ZeroDivisionError("a bug"))
  with pytest.raises(ZeroDivisionError):
    run(teacher, ["1", "bad", "2"])


async def thresholds(error=None):
  await asyncio.sleep(0)
  if error:
    raise error
  return gc.get_threshold()


def test_the_event_loop_restores_garbage_collection():
  before, frozen = gc.get_threshold(), gc.get_freeze_count()
  during = asking.run(thresholds())
  assert during[0] > before[0]
  assert gc.get_threshold() == before and gc.get_freeze_count() == frozen


def test_the_event_loop_restores_garbage_collection_after_an_error():
  before = gc.get_threshold()
  with pytest.raises(ValueError, match="lost"):
    asking.run(thresholds(ValueError("lost")))
  assert gc.get_threshold() == before
