"""The command on a cache that a teacher filled."""

import json

import pytest

from distill import cache_rationales, errors, report_rationales


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
  directory = tmp_path_factory.mktemp("cache") / "last_letters"
  flags = [
    "--task=last_letters",
    "--error_rate=0.2",
    f"--output_dir={directory}",
    f"--report={directory.parent / 'report.json'}",
  ]
  assert errors.run_command(cache_rationales.main, flags) == 0
  return directory


def run(*argv):
  argv = ("--task=last_letters", *argv)
  return errors.run_command(report_rationales.main, argv)


def test_the_report_is_text_and_json(cache, tmp_path, capsys):
  path = tmp_path / "report.json"
  assert run(f"--input_dir={cache}", f"--json={path}", "--samples=3") == 0
  report = json.loads(path.read_text())
  assert report["examples"] == report["judged"] == 500
  assert 0.7 < report["agreeing"] / 500 < 0.9
  assert len(report["samples"]) == 3 and "test" in report
  after_the_run = json.loads((cache.parent / "report.json").read_text())
  assert after_the_run["agreeing"] == report["agreeing"]
  text = capsys.readouterr().out
  assert f"{report['agreeing']} of 500" in text and "word for word" in text


def test_a_split_that_is_not_there_is_said_with_its_command(cache, capsys):
  assert run(f"--input_dir={cache}", "--split=test") == errors.USER_ERROR_EXIT
  assert "distill cache_rationales" in capsys.readouterr().err
