"""`--runner=beam`: asked by workers, and the cache of a single run."""

import pytest

from distill import errors
from distill.commands import cache_ask

BEAM = ("--runner=beam", "--", "--runner=DirectRunner")


@pytest.fixture
def run(server, tmp_path, monkeypatch, capsys):
  """Returns a function from a folder and flags to exit code and output."""
  pytest.importorskip("apache_beam", reason="needs the extra 'beam'")
  # Where workers have their journals.
  (tmp_path / "disk").mkdir()
  monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "disk"))

  def run(folder, *flags, model="steady"):
    argv = ["--task=coin_flip", "--split=test", "--teacher=openai"]
    argv += [f"--model={model}", f"--base_url={server.url}"]
    argv += ["--style=zero_shot_two_step", "--temperature=1", "--seed=1"]
    argv += ["--num_shards=2", f"--output_dir={tmp_path / folder}"]
    argv += ["--allow_unread", *flags]
    code = errors.run_command(cache_ask.main, argv)
    captured = capsys.readouterr()
    return code, captured.out + captured.err

  return run


def files(folder):
  return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_workers_make_the_cache_of_a_single_run(run, server, tmp_path):
  whole = ["--limit=15", "--samples=2"]
  assert run("one", *whole)[0] == 0
  asked = server.stats()["requests"]
  assert asked == 60
  # Workers learn what is known of their examples: here the first samples.
  assert run("beam", "--limit=5", *BEAM)[0] == 0
  assert server.stats()["requests"] == asked + 10
  handed_over = tmp_path / "handed" / "over"
  flags = [*whole, "--overwrite", "--beam_workers=3"]
  code, said = run("beam", *flags, f"--beam_dir={handed_over}", *BEAM)
  # Nothing was left to be asked by who started it.
  assert code == 0 and said.count('"answered": 0, "cached": 60') == 1
  assert server.stats()["requests"] == 2 * asked
  assert files(tmp_path / "one") == files(tmp_path / "beam")
  assert "already complete" in run("beam", *whole, *BEAM)[1]
  assert server.stats()["requests"] == 2 * asked
  # Nothing is left of what went to and fro.
  assert len(list((tmp_path / "beam/journal").iterdir())) <= 3
  assert not list(handed_over.iterdir())
  assert not list((tmp_path / "disk").glob("distill-*"))


def test_failures_of_workers_are_reported_and_the_rest_is_kept(
  run, server, tmp_path
):
  code, said = run("beam", "--limit=4", *BEAM, model="always-401")
  assert code == errors.USER_ERROR_EXIT
  assert "by Beam" in said and "HTTP 401" in said
  # What fails is asked for once more by who started it, and noted.
  code, said = run("beam", "--limit=24", *BEAM, model="some-400")
  assert code == errors.USER_ERROR_EXIT and "of 24 samples" in said
  letters = tmp_path / "beam/journal/failed-coin_flip-test.jsonl"
  failed = len(letters.read_text().splitlines())
  answered = server.stats()["answered"]
  assert 0 < failed < 24
  flags = ["--limit=24", "--allow_failures"]
  assert run("beam", *flags, *BEAM, model="some-400")[0] == 0
  assert server.stats()["answered"] == answered


@pytest.mark.parametrize(
  "flags, said",
  [
    (["--max_cost=1", *BEAM], "does not go with --max_cost"),
    (["--shard_index=0", *BEAM], "does not go with --shard_index"),
  ],
)
def test_flags_that_cannot_be_combined_are_reported(run, server, flags, said):
  code, text = run("beam", *flags)
  assert code == errors.USER_ERROR_EXIT and said in text
  assert not server.stats()["requests"]
