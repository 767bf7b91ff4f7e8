"""The command, as a user runs, interrupts and repeats it."""

import hashlib
import io
import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

from distill import errors
from distill.commands import cache_ask
from distill.data.cache import files
from distill.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "cache_rationales.py"
# A file for each record, so that there is time to kill the command.
FLAGS = ["--task=last_letters", "--num_shards=500", "--error_rate=0.1"]


def hashes(directory):
  return {
    path.name: hashlib.sha256(path.read_bytes()).hexdigest()
    for path in pathlib.Path(directory).iterdir()
  }


def run(*argv):
  return errors.run_command(cache_ask.main, argv)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
  directory = tmp_path_factory.mktemp("whole") / "last_letters"
  assert run(*FLAGS, f"--output_dir={directory}") == 0
  return hashes(directory)


def kill_when(directory, seen, *argv):
  """Runs the command for real and kills it once a file matches `seen`."""
  command = subprocess.Popen(
    [sys.executable, str(SCRIPT), *argv, f"--output_dir={directory}"],
    cwd=directory.parent,
    stderr=subprocess.DEVNULL,
  )
  deadline = time.monotonic() + 120
  while not any(directory.glob(seen)):
    assert command.poll() is None and time.monotonic() < deadline
    time.sleep(0.001)
  os.kill(command.pid, signal.SIGKILL)
  command.wait()


@pytest.mark.parametrize("seen", ["incomplete.*-00009-*", "last_letters-*"])
def test_killed_while_writing_and_run_again(tmp_path, uninterrupted, seen):
  directory = tmp_path / "last_letters"
  kill_when(directory, seen, *FLAGS)
  try:
    files.verify(str(directory), "last_letters", "train")
  except UserError as error:
    assert "unfinished" in error.found
    assert "distill cache ask --task=last_letters" in error.remedy
  else:
    # The command was quicker than the kill: all but its report must be there.
    whole = {**uninterrupted, **hashes(directory)}
    assert whole == uninterrupted
  assert run(*FLAGS, f"--output_dir={directory}") == 0
  assert hashes(directory) == uninterrupted


def test_killed_while_overwriting_keeps_what_was_there(tmp_path, uninterrupted):
  directory = tmp_path / "last_letters"
  assert run("--task=last_letters", f"--output_dir={directory}") == 0
  before = hashes(directory)
  kill_when(directory, "incomplete.*-00009-*", *FLAGS, "--overwrite")
  files.verify(str(directory), "last_letters", "train")
  after = hashes(directory)
  assert {name: after[name] for name in before} == before
  assert run(*FLAGS, "--overwrite", f"--output_dir={directory}") == 0
  assert hashes(directory) == uninterrupted


def test_what_it_prints_the_first_and_the_second_time(
  tmp_path, capsys, monkeypatch
):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  argv = ["--task=coin_flip", "--split=validation", "--teacher=builtin"]
  assert run(*argv) == 0
  first = capsys.readouterr()
  assert "coin_flip: written" in first.out
  assert "200 in 1 shards" in first.out
  assert "200 of 200 (100.0%) of gold labels" in first.out
  assert "cost $0" in first.out and "unknown" not in first.out
  before = hashes(tmp_path / "coin_flip")
  assert run(*argv) == 0
  second = capsys.readouterr()
  assert "coin_flip: already complete" in second.out and not second.err
  assert hashes(tmp_path / "coin_flip") == before
  assert run(*argv, "--error_rate=0.5") == errors.USER_ERROR_EXIT
  assert "--overwrite" in capsys.readouterr().err
  assert run(*argv, "--error_rate=0.5", "--seed=1", "--overwrite") == 0
  assert "builtin(error_rate=0.5,seed=1)" in capsys.readouterr().out


def test_the_documented_dataset_of_one_s_own(tmp_path, monkeypatch, capsys):
  text = (ROOT / "docs" / "cache.md").read_text()
  [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
  (tmp_path / "my_tasks.py").write_text(code)
  (tmp_path / "reviews_prompt.txt").write_text("Q: Is it {input}?\nA:\n")
  (tmp_path / "reviews").mkdir()
  (tmp_path / "reviews" / "train.tsv").write_text("fine\tgood\npoor\tbad\n")
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.chdir(tmp_path)
  argv = ["--task=reviews", "--module=my_tasks", "--output_dir=cache"]
  # The built-in teacher knows only the procedural sets.
  argv += ["--allow_unread"]
  assert run(*argv) == 0
  assert "examples    2 in 1 shards" in capsys.readouterr().out
  # The manifest keeps what is needed to build it again.
  assert "--module=my_tasks" in (tmp_path / "cache/manifest.json").read_text()


ROW_FILES = """
from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.published import Files, Published

for ending in ("jsonl", "csv"):
  files = Files("riddles/{}." + ending, "ourselves", {"test": "test"})
  registration.register_family(
    Published("row_files_" + ending, lambda row: (row["q"], row["l"]), files),
    answer_rule=TextAnswer(),
    prompt="few_shot_last_letters",
  )
"""


def test_own_rows_are_read_whole_or_refused_before_anything_is_asked(
  tmp_path, monkeypatch, capsys
):
  (tmp_path / "my_row_files.py").write_text(ROW_FILES)
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  (tmp_path / "riddles").mkdir()
  good = '{"q": "Join the last letters of \\"ab cd\\".", "l": %s}\n'
  flags = ["--module=my_row_files", "--split=test", "--output_dir=cache"]
  monkeypatch.chdir(tmp_path)
  for ending, content, named in (
    ("jsonl", good % '"bd"' + good % "NaN", "Row 1 of {} is mal.*'l'.*NaN"),
    ("jsonl", '{"q": ["a", "b"], "l": ["c", "d"]}', "Row 0 of {}.*'q', 'l'"),
    ("csv", "q,l\na,b\nc\n", "Row 1 of {}.*before 'l'"),
    ("csv", "q,l\n", "{} has no rows"),
  ):
    path = tmp_path / "riddles" / f"test.{ending}"
    path.write_text(content)
    code = run(f"--task=row_files_{ending}", *flags)
    said = capsys.readouterr().err
    assert code == errors.USER_ERROR_EXIT and said.startswith("error: ")
    assert re.search(named.format(re.escape(str(path))), said, re.DOTALL)
    assert not (tmp_path / "cache").exists()
  path = tmp_path / "riddles" / "test.jsonl"
  path.write_text(good % 18 + good % '""')
  assert run("--task=row_files_jsonl", *flags) == 0
  said = capsys.readouterr().out
  assert "unlabeled   1 of 2 (50.0%) have no gold label" in said
  assert "examples right      0 of 1" in said


@pytest.mark.parametrize(
  "flags, said",
  [
    (["--task=last_leters"], "did you mean last_letters"),
    (["--task=last_letters"], "DISTILL_DATA_DIR is not set"),
    (["--task=last_letters", "--split=dev"], "no split 'dev'"),
    (["--task=last_letters", "--teacher=gpt"], "no teacher 'gpt'"),
    (["--task=last_letters", "--error_rate=2"], "from 0 to 1"),
    (
      ["--task=last_letters", "--num_shards=0"],
      "--num_shards has",
    ),
    (["--task=last_letters", "--prompt=no.txt"], "no prompt template"),
    (["--task=x", "--module=no_such_module"], "no_such_module"),
  ],
)
def test_what_is_wrong_is_said(flags, said, monkeypatch, tmp_path, capsys):
  monkeypatch.delenv("DISTILL_DATA_DIR", raising=False)
  if "DISTILL" not in said:
    flags = [*flags, f"--output_dir={tmp_path}/out"]
  assert run(*flags) == errors.USER_ERROR_EXIT
  assert said in capsys.readouterr().err
  assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
  ("terminal", "lines", "last"),
  [
    (False, 19, "asked: writing 3,801 of 4,000, 10 s left"),
    (True, 1, "asked: writing 4,000 of 4,000, 0 s left\x1b[K"),
  ],
)
def test_progress_is_one_line_on_a_terminal(terminal, lines, last, monkeypatch):
  now = itertools.count(0, 50)  # a record each 50 ms
  monkeypatch.setattr(cache_ask.time, "monotonic", lambda: next(now) / 1000)
  stream = io.StringIO()
  stream.isatty = lambda: terminal
  progress = cache_ask.ProgressLine(stream, "asked")
  for done in range(1, 4001):
    progress(done, 4000)
  written = stream.getvalue()
  assert written.count("\n") == lines and written.endswith("\n")
  assert re.split(r"[\r\n]", written)[-2] == last


def test_help_is_quick_and_needs_no_install(tmp_path):
  done = subprocess.run(
    [sys.executable, "-X", "importtime", str(SCRIPT), "--help"],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=True,
  )
  for flag in ("--task", "--error_rate", "--overwrite", "--module"):
    assert flag in done.stdout
  assert "tensorflow" not in done.stderr
