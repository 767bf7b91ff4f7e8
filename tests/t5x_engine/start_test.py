"""The starter of T5X: what it refuses; runs_test.py starts it."""

import sys

from distill import errors
from distill.t5x_engine import start


def test_only_scripts_of_t5x_are_started(capsys):
  for argv in ([], ["predict"], ["--gin_file=a.gin"]):
    assert errors.run_command(start.main, argv) == errors.USER_ERROR_EXIT
    assert "one of train, eval, infer" in capsys.readouterr().err


def test_without_t5x_the_docs_are_named(monkeypatch, capsys):
  monkeypatch.setitem(sys.modules, "t5x", None)
  assert errors.run_command(start.main, ["train"]) == errors.USER_ERROR_EXIT
  assert "docs/t5x.md" in capsys.readouterr().err
