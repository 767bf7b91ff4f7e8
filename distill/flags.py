"""Command-line flags: the one parser of all commands."""

import argparse
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NoReturn

from distill import errors

_GIN_CONFIGS = pathlib.Path(__file__).parent.parent / "gin_configs"


class Parser(argparse.ArgumentParser):
  """A parser whose errors are user errors.

  Flags cannot be abbreviated.
  """

  def __init__(self, prog: str, **options: Any) -> None:
    super().__init__(prog=prog, allow_abbrev=False, **options)

  def error(self, message: str) -> NoReturn:
    """Raises UserError."""
    raise errors.UserError(
      f"Wrong flags: {message}.", remedy=f"run `{self.prog} --help`"
    )

  def parse(self, argv: Sequence[str]) -> argparse.Namespace:
    """Returns the values of all flags.

    Raises:
      UserError: A flag is unknown, lacks its value or has an invalid one.
    """
    self.check_names(argv)
    flags, unknown = self.parse_known_args(argv)
    if unknown:
      self.error(f"unexpected argument '{unknown[0]}'")
    return flags

  def check_names(
    self, argv: Sequence[str], others: Sequence[str] = ()
  ) -> None:
    """Checks the names of the flags in a command line.

    Args:
      argv: The command line.
      others: Flags that the command has and this parser does not know; one that
        ends in '.' stands for all flags that start with it.

    Raises:
      UserError: A flag is unknown; the nearest one is named.
    """
    self.complete()
    known = [*self._option_string_actions, *others]
    prefixes = tuple(name for name in others if name.endswith("."))
    for word in itertools.takewhile(lambda word: word != "--", argv):
      name = word.partition("=")[0]
      if (
        name.startswith("--")
        and name not in known
        and not (prefixes and name.startswith(prefixes))
      ):
        raise errors.unknown("flag", name, known, f"run `{self.prog} --help`")

  def complete(self) -> None:
    """Writes completions for the shell and exits, if argcomplete asks."""
    if "_ARGCOMPLETE" not in os.environ:
      return
    import argcomplete

    files = argcomplete.FilesCompleter()

    def values(prefix: str, action: argparse.Action, **rest: Any) -> list[str]:
      found = list(files(prefix, action=action, **rest))
      if action.dest == "gin_file":
        shipped = _GIN_CONFIGS.glob("[eg]*/*.gin")  # experiments and grids
        found += [p.relative_to(_GIN_CONFIGS).as_posix() for p in shipped]
      return found

    argcomplete.autocomplete(
      self, always_complete_options="long", default_completer=values
    )

  def common_flags(self, split: bool = True) -> None:
    """Adds the flags that name a family, a split and the user's modules."""
    self.add_argument(
      "--task", required=True, help="a registered dataset, such as cqa"
    )
    if split:
      self.add_argument("--split", default="train", help="default: %(default)s")
    self.add_argument(
      "--module",
      action="append",
      default=[],
      help="a Python module that registers your dataset; may be repeated",
    )
