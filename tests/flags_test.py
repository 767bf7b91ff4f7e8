"""The parser of all commands: wrong flags are user errors."""

import pytest

from distill import errors
from distill.flags import Parser


@pytest.fixture
def parser():
  parser = Parser("distill x")
  parser.add_argument("--count", type=int, default=1)
  parser.add_argument("--name", required=True)
  return parser


def test_values_are_parsed(parser):
  flags = parser.parse(["--name=a", "--count=3"])
  assert (flags.name, flags.count) == ("a", 3)


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["--naem=a"], "did you mean '--name'"),
    (["--nam=a"], "There is no flag '--nam'"),
    ([], "required: --name"),
    (["--name=a", "--count=b"], "invalid int value: 'b'"),
    (["--name"], "expected one argument"),
    (["--name=a", "b"], "unexpected argument 'b'"),
  ],
)
def test_a_wrong_flag_is_a_user_error(parser, argv, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    parser.parse(argv)
  assert "distill x --help" in caught.value.remedy


def test_flags_of_others_are_accepted(parser):
  parser.check_names(["--gin.A=3", "--b", "--", "--c"], ["--gin.", "--b"])
  with pytest.raises(errors.UserError, match="'--gin'"):
    parser.check_names(["--gin=3"], ["--gin."])
