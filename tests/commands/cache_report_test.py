"""The command on a cache that a teacher filled."""

import json
import shutil

from distill import errors
from distill.commands import cache_ask, cache_report


def run(*argv):
  argv = ("--task=last_letters", *argv)
  return errors.run_command(cache_report.main, argv)


def test_the_report_is_text_and_json(cache, tmp_path, capsys):
  path = tmp_path / "report.json"
  assert run(f"--input_dir={cache}", f"--json={path}", "--samples=3") == 0
  report = json.loads(path.read_text())
  assert report["examples"] == report["judged"] == 500
  assert 0.7 < report["agreeing"] / 500 < 0.9
  assert len(report["samples"]) == 3 and "test" in report
  after_the_run = json.loads((cache / "hygiene-train.json").read_text())
  assert after_the_run.pop("samples")[:20] != report.pop("samples")
  assert after_the_run == report
  text = capsys.readouterr().out
  assert f"{report['agreeing']} of 500" in text and "word for word" in text


def test_a_split_that_is_not_there_is_said_with_its_command(cache, capsys):
  assert run(f"--input_dir={cache}", "--split=test") == errors.USER_ERROR_EXIT
  assert "distill cache ask" in capsys.readouterr().err


def test_the_report_of_another_split_s_content_goes(tmp_path, capsys):
  def cache(*flags):
    argv = ["--task=coin_flip", "--split=test", f"--output_dir={tmp_path}/c"]
    assert errors.run_command(cache_ask.main, [*argv, *flags]) == 0
    return capsys.readouterr().out

  path = tmp_path / "c" / "hygiene-test.json"
  assert f"{path} has this, and 20 answers to read" in cache()
  before = path.read_bytes()
  assert "near_duplicates" in cache() and path.read_bytes() == before
  again = ["--overwrite", "--error_rate=0.5"]
  assert "agreement   " in cache(*again, "--no_report") and not path.exists()
  cache("--error_rate=0.5")
  assert path.read_bytes() != before


def test_of_too_many_answers_there_is_none(
  cache, tmp_path, capsys, monkeypatch
):
  cache = shutil.copytree(cache, tmp_path / "cache")
  monkeypatch.setattr(cache_report, "_MOST_ANSWERS", 499)
  (cache / "hygiene-train.json").unlink()
  flags = ["--task=last_letters", "--error_rate=0.2", f"--output_dir={cache}"]
  assert errors.run_command(cache_ask.main, flags) == 0
  said = capsys.readouterr().out
  assert f"--split=train --input_dir={cache}" in said
  assert not (cache / "hygiene-train.json").exists()
