"""`distill cache_rationales` and what servers refuse, lack or say instead."""

import json

from distill import errors


def entry_of(folder):
  manifest = json.loads((folder / "cache" / "manifest.json").read_text())
  return manifest["splits"]["test"]


def test_answers_that_cannot_be_read_are_no_success(run, server, tmp_path):
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


def test_what_was_not_sent_is_in_the_manifest(run, server, tmp_path):
  model = "always-lacks-temperature,seed"
  code, said = run("--limit=3", "--seed=2", model=model)
  assert code == 0 and "temperature is no longer sent" in said
  assert entry_of(tmp_path)["ledger"][0]["not_sent"] == "seed,temperature"
  assert server.stats()["requests"] == 5
  # Another process knows it from the journal.
  code, said = run("--limit=3", "--seed=2", "--overwrite", model=model)
  assert code == 0 and server.stats()["requests"] == 5
  assert entry_of(tmp_path)["ledger"][0]["not_sent"] == "seed,temperature"


def test_another_body_asks_anew(run, server, tmp_path):
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


def test_the_server_s_own_words_end_a_run(run, server):
  code, said = run(model="always-wrapped-402")
  assert code == errors.USER_ERROR_EXIT and "so it is" in said
  assert server.stats()["requests"] == 1
  code, said = run("--limit=3", model="always-400")
  assert code == errors.USER_ERROR_EXIT and "HTTP 400: fault" in said
