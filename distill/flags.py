"""Command-line flags: the one parser of all commands, flags of dataclasses."""

import argparse
import dataclasses
import itertools
import os
import pathlib
import re
import shlex
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from distill import errors

_GIN_CONFIGS = pathlib.Path(__file__).parent.parent / "gin_configs"

_T = TypeVar("_T")


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


def add_fields(
  add: Any,
  holder: type,
  flags: Mapping[str, str] | None = None,
  *,
  optional: bool = False,
) -> None:
  """Adds a flag for each field of a dataclass.

  Types and defaults are the fields', help texts the docstring's `Attributes:`.

  Args:
    add: `add_argument` of a parser or of a group.
    holder: The dataclass.
    flags: Field → flag, for fields whose flags have other names; '' for a field
      that has no flag.
    optional: Whether a flag that is not given is None instead of the field's
      default.
  """
  hints = typing.get_type_hints(holder)
  for field, flag in _flags(holder, flags):
    options: dict[str, Any] = {"help": _help(holder, field)}
    kind = hints[field.name]
    default = None if optional else field.default
    if isinstance(kind, types.UnionType):  # with None, as all of them are
      kind = typing.get_args(kind)[0]
    if kind is bool:
      options["action"] = "store_true"
    elif typing.get_origin(kind) is tuple:
      options["action"] = "append"
      default = list(default) if isinstance(default, tuple) else default
    else:
      options["type"] = kind
    add(f"--{flag}", default=default, **options)


def from_flags(
  values: argparse.Namespace,
  holder: type[_T],
  flags: Mapping[str, str] | None = None,
) -> _T:
  """Returns a dataclass that holds the values of the flags of `add_fields`.

  A repeated flag becomes a tuple without empty texts.
  """
  found = {}
  for field, flag in _flags(holder, flags):
    value = getattr(values, flag)
    found[field.name] = (
      tuple(filter(None, value)) if isinstance(value, list) else value
    )
  return holder(**found)


def names(holder: type, flags: Mapping[str, str] | None = None) -> list[str]:
  """Returns the names of the flags of `add_fields`."""
  return [flag for _, flag in _flags(holder, flags)]


def changed(
  parser: Parser, values: argparse.Namespace, wanted: Iterable[str]
) -> str:
  """Returns the flags that are not at their default, as a command line.

  A list is a repeated flag, a tuple is one flag with commas.

  Args:
    parser: The parser of the flags.
    values: Their values.
    wanted: The flags to look at, in the order in which they are returned.
  """
  found = []
  for name in wanted:
    value = getattr(values, name)
    if value is True:
      found.append(f"--{name}")
    elif value != parser.get_default(name):
      several = value if isinstance(value, list) else [value]
      several = [",".join(value)] if isinstance(value, tuple) else several
      found += [f"--{name}={one}" for one in several]
  return shlex.join(found)


def _flags(
  holder: type, flags: Mapping[str, str] | None
) -> list[tuple[dataclasses.Field[Any], str]]:
  fields = [field for field in dataclasses.fields(holder) if field.init]
  pairs = [(f, (flags or {}).get(f.name, f.name)) for f in fields]
  return [(field, flag) for field, flag in pairs if flag]


def _help(holder: type, field: dataclasses.Field[Any]) -> str:
  """Returns a field's description, with its default."""
  found = re.search(
    rf"^    {field.name}: (.*?)(?=^    \w+: |^  \S|\Z|^\s*$)",
    holder.__doc__ or "",
    re.MULTILINE | re.DOTALL,
  )
  text = " ".join(found[1].split()).removesuffix(".") if found else ""
  unset = (None, False, "", (), dataclasses.MISSING)
  if not any(field.default is value for value in unset):
    text += f"; default: {field.default}"
  return text.replace("%", "%%")
