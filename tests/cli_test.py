"""The dispatcher, as a user types it."""

import importlib.util
import os
import subprocess
import sys

import pytest

import distill
from distill import cli, errors


def run(*argv):
  return subprocess.run(
    [sys.executable, "-m", "distill", *argv],
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.parametrize(
  ("line", "found", "not_found"),
  [
    ("distill ", {"train", "cache", "compare"}, {"ask"}),
    ("distill cache ", {"ask", "journal"}, {"train"}),
    ("distill cache ask --tea", {"--teacher"}, {"--task"}),
    ("distill train --gin_f", {"--gin_file"}, {"--gin_bindings"}),
    ("distill compare --gin_file grids/de", {"grids/demo.gin"}, set()),
  ],
)
def test_a_shell_completes_commands_flags_and_gin_files(
  line, found, not_found, tmp_path
):
  pytest.importorskip("argcomplete")
  written = tmp_path / "completions"
  subprocess.run(
    [sys.executable, "-c", "from distill import cli; cli.main()"],
    env={
      **os.environ,
      "_ARGCOMPLETE": "1",
      "_ARGCOMPLETE_IFS": "\n",
      "_ARGCOMPLETE_STDOUT_FILENAME": str(written),
      "COMP_LINE": line,
      "COMP_POINT": str(len(line)),
    },
    check=True,
  )
  names = {name.strip() for name in written.read_text().split("\n")}
  assert found <= names
  assert not not_found & names


def test_help_lists_every_command():
  result = run("--help")
  assert result.returncode == 0
  for command in cli.COMMANDS:
    assert command in result.stdout


@pytest.mark.parametrize(
  ("typed", "meant"),
  [
    ("trian", "'train'"),
    ("comparee", "'compare'"),
    ("Evaluate", "'evaluate'"),
    ("ca", "'cache ask'"),
    ("repor", "'report'"),
    ("--verison", "'--version'"),
  ],
)
def test_an_unknown_command_names_the_one_that_was_meant(typed, meant):
  with pytest.raises(errors.UserError) as caught:
    cli.dispatch([typed])
  assert f"did you mean {meant}?" in caught.value.remedy
  assert "train" in caught.value.expected


def test_an_unknown_command_that_is_like_no_other():
  result = run("xyzzy")
  assert result.returncode == errors.USER_ERROR_EXIT
  assert "did you mean" not in result.stderr
  assert "Traceback" not in result.stderr


def test_the_version_is_the_package_s():
  result = run("--version")
  assert (result.returncode, result.stdout) == (
    0,
    f"distill {distill.__version__}\n",
  )


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_is_a_module(command):
  assert importlib.util.find_spec(cli.module_of(command))


def test_the_console_has_nine_commands():
  assert {command.split()[0] for command in cli.COMMANDS} == {
    *("list", "cache", "train", "evaluate", "infer", "convert", "plan"),
    *("compare", "report"),
  }


def test_cache_lists_its_subcommands_and_names_the_nearest(capsys):
  for argv in (["cache"], ["cache", "--help"]):
    assert cli.dispatch(argv) == 0
    out = capsys.readouterr().out
    assert "cache ask" in out and "evaluate" not in out
  with pytest.raises(errors.UserError, match="did you mean 'cache filter'"):
    cli.dispatch(["cache", "filtre"])


@pytest.mark.parametrize(
  ("former", "present"),
  [
    ("cache_rationales", "distill cache ask"),
    ("import_rationales", "distill cache import"),
    ("report_rationales", "distill cache report"),
    ("filter_rationales", "distill cache filter"),
    ("journal", "distill cache journal"),
    ("score", "distill infer --gin.MODE=score"),
  ],
)
def test_a_former_command_runs_and_shows_the_present_line(
  former, present, capsys
):
  try:
    cli.dispatch([former, "--help"])
  except SystemExit as end:
    assert end.code == 0
  written = capsys.readouterr()
  assert written.err == f"`distill {former}` is now: {present} --help\n"
  assert "usage: " + present.partition(" --")[0] in written.out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_a_wrong_flag_is_one_kind_of_error(command):
  with pytest.raises(errors.UserError) as caught:
    cli.dispatch([*command.split(), "--gin_flie=x"])
  assert caught.value.what == "There is no flag '--gin_flie'."
  assert "did you mean '--" in caught.value.remedy


def test_importing_the_package_and_the_teacher_is_light():
  code = (
    "import sys, distill, distill.cli, distill.teacher.interface;"
    "print([m for m in ('jax', 'tensorflow', 'seqio', 'numpy', 'matplotlib')"
    " if m in sys.modules])"
  )
  result = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=True
  )
  assert result.stdout.strip() == "[]"
