"""Collecting from a server by a command: what is paid, kept and written."""

import contextlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import time

import pytest
import tensorflow_datasets as tfds

from distill import errors
from distill.commands import cache_ask, cache_journal
from distill.data.cache import files

ROOT = pathlib.Path(__file__).parents[2]
PRICES = """
[[price]]
model = "steady"
input = 1.0
output = 1.0
source = "a page"
date = 2026-01-31
"""


def entry_of(folder):
  manifest = json.loads((folder / "cache" / "manifest.json").read_text())
  return manifest["splits"]["test"]


def records_of(folder):
  return list(files.read(str(folder / "cache"), "coin_flip", "test"))


def test_only_new_requests_are_sent(run, server, tmp_path):
  share = "--fraction=0.25"
  assert run(share)[0] == 0
  first = entry_of(tmp_path)
  assert 90 < first["examples"] < 160
  assert server.stats()["requests"] == first["examples"]
  code, said = run(share)
  assert code == 0 and "already complete" in said
  code, said = run("--fraction=0.5", "--plan")
  asked = server.stats()["requests"]
  assert code == 0 and asked == first["examples"]
  assert f"{asked:,} answered before" in said and "unknown" in said
  # A larger share has the smaller one, a second sample keeps the first.
  assert run("--fraction=0.5", "--overwrite")[0] == 0
  half = entry_of(tmp_path)
  assert server.stats()["requests"] == half["examples"] > asked
  drawn = ["--samples=2", "--temperature=0.7", "--seed=1"]
  code, said = run("--fraction=0.5", *drawn, "--overwrite")
  assert code == 0 and "cost unknown" in said
  twice = entry_of(tmp_path)
  assert twice["answers"] == 2 * half["examples"] == 2 * twice["examples"]
  [row] = twice["ledger"]
  assert row["requests"] == twice["answers"] and row["cost"] is None
  assert {len(set(r.rationales)) for r in records_of(tmp_path)} == {2}


def test_a_plan_needs_no_key(run, server):
  code, said = run("--plan", "--api_key_env=NOT_SET", "--verify_with=openai")
  assert code == errors.USER_ERROR_EXIT and "No model" in said
  judge = ["--verify_with=openai", "--verify_model=steady"]
  code, said = run("--plan", "--api_key_env=NOT_SET", *judge)
  assert code == 0 and "500 to send" in said
  assert not server.stats()["requests"]


def test_two_teachers_in_one_cache(run, tmp_path, capsys):
  assert run("--limit=5")[0] == 0
  code, said = run("--limit=5", model="faulty")
  assert code == errors.USER_ERROR_EXIT and "--overwrite" in said
  for _ in range(2):
    flags = ["--limit=5", "--append", "--request_timeout=1"]
    assert run(*flags, model="faulty")[0] == 0
  # The split uses the answers of both.
  assert cache_journal.main(["gc", f"{tmp_path}/cache/journal"]) == 0
  assert "0 answers deleted" in capsys.readouterr().out
  names = ("openai(steady,chat)", "openai(faulty,chat)")
  assert [r.teachers for r in records_of(tmp_path)] == [names] * 5
  entry = entry_of(tmp_path)
  assert [row["teacher"] for row in entry["ledger"]] == list(names)
  assert (entry["teacher"], entry["answers"]) == (names[0], 10)
  builder = tfds.builder_from_directory(tmp_path / "cache")
  assert builder.info.splits["test"].num_examples == 5


def test_failures_are_reported_and_can_be_left_out(run, server, tmp_path, key):
  flags, model = ["--limit=24"], "some-400"
  code, said = run(*flags, model=model)
  assert (
    code == errors.USER_ERROR_EXIT and "failed-coin_flip-test.jsonl" in said
  )
  lines = (tmp_path / "cache/journal/failed-coin_flip-test.jsonl").read_text()
  failed = [json.loads(line) for line in lines.splitlines()]
  assert 0 < len(failed) < 24 and failed[0]["failure"] == "refused"
  assert "HTTP 400" in failed[0]["said"] and failed[0]["to_mend"]
  asked = server.stats()["requests"]
  code, said = run(*flags, "--allow_failures", model=model)
  assert code == 0 and f"missing     {len(failed)} samples" in said
  assert server.stats()["requests"] == asked + len(failed)
  assert entry_of(tmp_path)["failed"] == len(failed)
  kept = {record.id for record in records_of(tmp_path)}
  assert len(kept) == 24 - len(failed)
  assert not kept & {line["id"] for line in failed}
  # No key anywhere, not even in what the server said of it.
  for path in (tmp_path / "cache").rglob("*"):
    assert path.is_dir() or key.encode() not in path.read_bytes()
  assert key not in said


def test_spending_stops_before_the_limit_and_goes_on(run, server, tmp_path):
  (tmp_path / "prices.toml").write_text(PRICES)
  flags = [f"--prices={tmp_path}/prices.toml", "--limit=40"]
  code, said = run(*flags, "--max_cost=0.004")
  assert code == errors.USER_ERROR_EXIT and "--max_cost" in said
  asked = server.stats()["requests"]
  assert 0 < asked < 40
  code, said = run(*flags)
  assert code == 0 and server.stats()["requests"] == 40
  assert "cost $" in said
  [row] = entry_of(tmp_path)["ledger"]
  spent = (row["prompt_tokens"] + row["completion_tokens"]) / 1e6
  assert row["cost"] == round(spent, 6) and row["price"].endswith("2026-01-31")


def test_a_price_by_flags_replaces_the_table(run, server, tmp_path):
  prices = ["--price_in=2", "--price_out=10"]
  judge = ["--verify_with=openai", "--verify_model=always-yes"]
  judge += [f"--verify_base_url={server.url}"]
  code, said = run("--limit=3", "--plan", *prices)
  assert code == 0 and "price       --price_in and --price_out" in said
  code, said = run("--limit=3", "--max_cost=1", *prices, *judge)
  assert code == errors.USER_ERROR_EXIT and "--verify_price_in" in said
  assert not server.stats()["requests"]
  judge += ["--verify_price_in=0", "--verify_price_out=0.5"]
  assert run("--limit=3", "--max_cost=1", *prices, *judge)[0] == 0
  teacher, verdicts = entry_of(tmp_path)["ledger"]
  for row, (read, written) in ((teacher, (2, 10)), (verdicts, (0, 0.5))):
    cost = row["prompt_tokens"] * read + row["completion_tokens"] * written
    assert row["cost"] == round(cost / 1e6, 6) > 0
  assert teacher["price"] == "--price_in and --price_out"


def test_an_empty_answer_is_requested_again_in_the_next_run(
  run, server, tmp_path
):
  code, said = run("--limit=24", model="some-null")
  assert code == errors.USER_ERROR_EXIT and "have no answer" in said
  lines = (tmp_path / "cache/journal/failed-coin_flip-test.jsonl").read_text()
  failed = [json.loads(line) for line in lines.splitlines()]
  assert 0 < len(failed) < 24 and {f["failure"] for f in failed} == {"empty"}
  # Asked once in a run, and again in the next.
  assert server.stats()["requests"] == 24
  assert run("--limit=24", "--allow_failures", model="some-null")[0] == 0
  assert server.stats()["requests"] == 24 + len(failed)
  assert entry_of(tmp_path)["answers"] == 24 - len(failed)


def test_a_full_disk_is_reported_and_nothing_is_paid_twice(
  run, server, tmp_path
):
  flags = ["--limit=9", "--num_shards=3", "--overwrite"]
  assert run("--limit=1")[0] == 0
  shard = tmp_path / "cache/incomplete.coin_flip-test.tfrecord-00001-of-00003"
  shard.symlink_to("/dev/full")
  begun = time.monotonic()
  code, said = run(*flags)
  assert code == errors.USER_ERROR_EXIT and time.monotonic() - begun < 30
  assert "cannot be written" in said and "No space left" in said
  shard.unlink()
  assert run(*flags)[0] == 0 and server.stats()["requests"] == 9


def test_separate_shards_make_the_cache_of_a_single_run(run, server, tmp_path):
  flags = ["--limit=20", "--num_shards=3"]
  for index in (2, 0, 1):
    code, said = run(*flags, f"--shard_index={index}")
    assert code == 0 and "are journaled" in said
    assert not (tmp_path / "cache" / "manifest.json").exists()
    # As if another machine had asked.
    found = (tmp_path / "cache/journal").glob("*.sqlite")
    [ours] = (path for path in found if "machine-" not in path.name)
    ours.rename(ours.with_name(f"machine-{index}.sqlite"))
  assert server.stats()["requests"] == 20
  assert run(*flags, f"--output_dir={tmp_path}/one")[0] == 0
  assert server.stats()["requests"] == 40
  assert run(*flags)[0] == 0
  assert server.stats()["requests"] == 40
  names = sorted(p.name for p in (tmp_path / "one").iterdir() if p.is_file())
  assert len(names) == 7 and "hygiene-test.json" in names
  for name in names:
    both = [
      (tmp_path / folder / name).read_bytes() for folder in ("one", "cache")
    ]
    assert both[0] == both[1], name
  code, said = run(*flags, "--shard_index=3")
  assert code == errors.USER_ERROR_EXIT and "from 0 to 2" in said


def test_batch_files_make_the_same_cache(run, server, tmp_path):
  flags = ["--limit=9", "--num_shards=1"]
  assert run(*flags)[0] == 0
  code, said = run(
    *flags, "--batch_api", "--poll_seconds=0", f"--output_dir={tmp_path}/batch"
  )
  assert code == 0 and "in_progress" in said and "submitting" in said
  assert server.stats()["requests"] == 18
  name = "coin_flip-test.tfrecord-00000-of-00001"
  both = [(tmp_path / each / name).read_bytes() for each in ("cache", "batch")]
  assert both[0] == both[1]


def test_an_interrupt_keeps_requests_in_flight(start_server, tmp_path):
  slow = start_server("--delay=0.3")
  script = pathlib.Path(ROOT / "scripts" / "cache_rationales.py")
  flags = ["--task=coin_flip", "--teacher=openai", "--model=steady"]
  flags += ["--max_concurrency=8", f"--output_dir={tmp_path}/cache"]
  command = [sys.executable, script, *flags, f"--base_url={slow.url}"]
  process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
  while slow.stats()["answered"] < 12:
    assert process.poll() is None
    time.sleep(0.01)
  collect_garbage = ["gc", f"{tmp_path}/cache/journal"]
  assert cache_journal.main(collect_garbage) == 0
  process.terminate()
  _, said = process.communicate(timeout=60)
  assert process.returncode == errors.USER_ERROR_EXIT and "SIGTERM" in said
  answered = slow.stats()["answered"]
  # No split uses these answers yet: they are not garbage, now or before.
  assert cache_journal.main(collect_garbage) == 0
  [path] = (tmp_path / "cache/journal").glob("*.sqlite")
  with contextlib.closing(sqlite3.connect(path)) as connection:
    [kept] = connection.execute("SELECT count(*) FROM answers").fetchone()
  assert kept == answered < 200


def test_flags_for_further_attempts_and_a_judge(run, server, tmp_path):
  flags = ["--limit=3", "--retry_wrong=2", "--hint_gold"]
  judge = ["--verify_with=openai", "--verify_model=always-yes"]
  judge += [f"--verify_base_url={server.url}"]
  assert run(*flags, *judge)[0] == 0
  # The server's answers are never yes or no: 3 · (1 + 2 + 1), and 3 verdicts.
  assert server.stats()["requests"] == 15
  first, second = entry_of(tmp_path)["ledger"]
  assert (first["requests"], second["requests"]) == (12, 3)
  assert (second["teacher"], second["answers"]) == (
    "openai(always-yes,chat)",
    0,
  )
  assert "retry_wrong=2 hint_gold=True judge=openai" in first["sampling"]
  assert [record.verdicts for record in records_of(tmp_path)] == [(1,)] * 3
  assert "already complete" in run(*flags, *judge)[1]


def test_the_documented_custom_teacher(tmp_path, monkeypatch, capsys):
  text = (ROOT / "docs" / "teachers.md").read_text()
  [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
  (tmp_path / "my_teacher.py").write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  argv = ["--task=coin_flip", "--teacher=my_teacher:Parrot", "--limit=3"]
  argv += [f"--output_dir={tmp_path}/cache", "--split=test"]
  for said in ("written", "already complete"):
    assert errors.run_command(cache_ask.main, argv) == 0
    assert said in capsys.readouterr().out
  assert records_of(tmp_path)[0].teachers == ("parrot",)
  assert list((tmp_path / "cache/journal").glob("*.sqlite"))


@pytest.mark.parametrize(
  "flags, said",
  [
    (["--model="], "No model"),
    (["--base_url=http://me:pass@host/v1"], "more than an address"),
    (["--api_key_env=sk-123abc"], "never a key"),
    (["--fraction=0"], "above 0, at most 1"),
    (["--max_cost=1"], "price is not known"),
    (["--journal_dir=gs://b/j"], "disk of this machine"),
    (["--teacher=json:Nobody"], "module:Class"),
  ],
)
def test_wrong_flags_are_reported_before_any_request(
  run, server, tmp_path, flags, said
):
  code, text = run(*flags)
  assert code == errors.USER_ERROR_EXIT and said in text
  assert "pass@" not in text and "sk-123" not in text
  assert said[:5] == "price" or not (tmp_path / "cache").exists()
  assert not server.stats()["requests"]


def test_a_low_parse_rate_is_an_error(run, server, tmp_path):
  flags, model = ["--limit=60"], "always-says-It is no --- I think"
  code, said = run(*flags, model=model, unread=())
  assert code == errors.USER_ERROR_EXIT
  # Once while it ran, and once at its end.
  assert said.count("0 of the first 50 answers could be read") == 2
  assert said.count("It is no --- I think") == 2
  assert "So the answer is X." in said and "--allow_unread" in said
  manifest = json.loads((tmp_path / "cache" / "manifest.json").read_text())
  assert not manifest["splits"]
  asked = server.stats()["requests"]
  code, said = run(*flags, model=model)
  assert code == 0 and "parsed      0 of 60" in said
  # What was paid for was kept.
  assert server.stats()["requests"] == asked == 60


def test_refused_parameters_are_in_the_manifest(run, server, tmp_path):
  model = "always-lacks-temperature,seed"
  code, said = run("--limit=3", "--seed=2", model=model)
  assert code == 0 and "temperature is no longer sent" in said
  assert entry_of(tmp_path)["ledger"][0]["not_sent"] == "seed,temperature"
  assert server.stats()["requests"] == 5
  # Another process knows it from the journal.
  code, said = run("--limit=3", "--seed=2", "--overwrite", model=model)
  assert code == 0 and server.stats()["requests"] == 5
  assert entry_of(tmp_path)["ledger"][0]["not_sent"] == "seed,temperature"


def test_another_extra_body_sends_new_requests(run, server, tmp_path):
  assert run("--limit=2")[0] == 0
  assert run("--limit=2", "--stop=\nQ:", "--overwrite")[0] == 0
  # The same requests as before, whether their stops are sent or not.
  assert server.stats()["requests"] == 2
  extra = ['--extra_body={"top_k": 3}', "--overwrite"]
  assert run("--limit=2", *extra)[0] == 0
  assert run("--limit=2", *extra)[0] == 0
  assert server.stats()["requests"] == 4
  assert 'extra_body={"top_k":3}' in entry_of(tmp_path)["teacher"]
  assert "top_k" in server.stats()["fields"]


def test_the_error_has_the_server_s_message(run, server):
  code, said = run(model="always-wrapped-402")
  assert code == errors.USER_ERROR_EXIT and "so it is" in said
  assert server.stats()["requests"] == 1
  code, said = run("--limit=3", model="always-400")
  assert code == errors.USER_ERROR_EXIT and "HTTP 400: fault" in said
