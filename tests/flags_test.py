"""The parser of all commands: wrong flags are user errors."""

import dataclasses

import pytest

from distill import errors, flags
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


@dataclasses.dataclass(frozen=True)
class Options:
  """What a command does.

  Attributes:
    share: The share of the examples, at
      most 100%.
    count: The number of samples.
    stop: The strings that end a text.
    logged: Whether to log.
    names: Only these.
    inner: Not a flag.
  """

  share: float | None = None
  count: int = 3
  stop: tuple[str, ...] | None = None
  logged: bool = False
  names: tuple[str, ...] = ()
  inner: float = 0.5


def test_a_dataclass_is_flags_with_its_types_defaults_and_help():
  parser = Parser("distill x")
  names = {"count": "samples", "inner": ""}
  flags.add_fields(parser.add_argument, Options, names)
  parsed = flags.from_flags(parser.parse([]), Options, names)
  assert parsed == Options()
  argv = [
    "--share=1",
    "--samples=4",
    "--stop=a",
    "--stop=",
    "--logged",
    "--names=b",
  ]
  parsed = flags.from_flags(parser.parse(argv), Options, names)
  assert parsed == Options(1.0, 4, ("a",), True, ("b",))
  text = " ".join(parser.format_help().split())
  assert "share of the examples, at most 100%" in text
  assert "The number of samples; default: 3" in text
  assert "inner" not in text and "()" not in text
