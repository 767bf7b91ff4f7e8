"""Bad input ends in one message and exit code 2; bugs keep their traceback."""

import pytest

from distill import errors


def test_message_names_thing_expected_found_and_mend():
  error = errors.UserError(
    "a.tfrecord is cut short.",
    expected="120 bytes",
    found="64 bytes",
    remedy="write it again",
  )
  assert str(error).splitlines() == [
    "a.tfrecord is cut short.",
    "  expected: 120 bytes",
    "  found:    64 bytes",
    "  fix:      write it again",
  ]


def test_message_leaves_out_what_was_not_said():
  assert str(errors.UserError("No such task.")) == "No such task."


def test_user_error_is_printed_without_traceback(capsys):
  def main(argv):
    raise errors.UserError(f"bad {argv[0]}", remedy="try another")

  assert errors.run_command(main, ["flag"]) == errors.USER_ERROR_EXIT
  stderr = capsys.readouterr().err
  assert stderr.startswith("error: bad flag\n")
  assert "Traceback" not in stderr


def test_a_bug_is_not_swallowed():
  def main(argv):
    raise RuntimeError("a bug")

  with pytest.raises(RuntimeError, match="a bug"):
    errors.run_command(main, [])


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_exit_code_is_what_main_returns(returned, code):
  assert errors.run_command(lambda argv: returned, []) == code


def test_require_names_the_value_what_was_expected_and_the_fix():
  errors.require("--samples", 1, True, "at least 1")
  with pytest.raises(errors.UserError) as caught:
    errors.require("--samples", 0, False, "at least 1", "set --samples=1")
  assert str(caught.value).splitlines() == [
    "--samples has an invalid value.",
    "  expected: at least 1",
    "  found:    0",
    "  fix:      set --samples=1",
  ]


def test_nearest_name():
  assert errors.nearest("trian", ["train", "list"]) == "train"
  assert errors.nearest("xyzzy", ["train"], cutoff=0.6) == ""
  assert errors.nearest("train", []) == ""


def test_unknown_name_gives_the_choices_and_the_nearest():
  error = errors.unknown("flag", "--taks", ["--task", "--split"], "see --help")
  assert str(error).splitlines() == [
    "There is no flag '--taks'.",
    "  expected: one of --task, --split",
    "  fix:      did you mean '--task'? see --help",
  ]


def test_printable_escapes_control_characters_and_cuts():
  assert errors.printable("a\x1b[2J\n") == "a\\x1b[2J\\n"
  assert errors.printable("a" * 400) == "a" * 300 + "…"
  assert errors.printable("a" * 400, None) == "a" * 400
  assert errors.printable("né 3 > 2") == "né 3 > 2"
  assert errors.printable("\r\u202e") == "\\r\\u202e"


def test_write_whole_replaces_a_file_and_leaves_no_other(tmp_path):
  path = tmp_path / "a.json"
  errors.write_whole(path, "old")
  errors.write_whole(str(path), "ü")
  assert path.read_bytes() == "ü".encode()
  errors.write_whole(path, b"\x00")
  assert path.read_bytes() == b"\x00"
  assert list(tmp_path.iterdir()) == [path]


def test_write_whole_keeps_the_old_file_if_it_fails(tmp_path):
  path = tmp_path / "a.json"
  errors.write_whole(path, "old")
  with pytest.raises(UnicodeEncodeError):
    errors.write_whole(path, "\ud800")
  assert path.read_text() == "old"
