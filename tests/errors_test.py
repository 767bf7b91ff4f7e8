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
