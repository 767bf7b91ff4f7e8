"""Gin files read as text: which macros they define and read, and checks.

Reading text imports nothing, so a macro that is missing or misspelt is
reported in a moment, before JAX, TensorFlow or a model is imported.
"""

import dataclasses
import glob
import os
import re
import tokenize
from collections.abc import Sequence
from typing import Any

from gin import config_parser

from distill import errors, gin_t5x

REQUIRED = "gin.REQUIRED"
COMMAND_LINE = "the command line"


@dataclasses.dataclass(frozen=True)
class Reference:
  """What stands in the text where gin would put an object.

  Attributes:
    text: The reference as written: `%NAME`, `@name` or `@name()`.
  """

  text: str

  def __repr__(self) -> str:
    return self.text


@dataclasses.dataclass(frozen=True)
class Macro:
  """A macro's last definition.

  Attributes:
    value: The literal, with a `Reference` for each reference in it.
    comment: The comment on its line, '' without one.
    where: The file and the line.
  """

  value: Any
  comment: str = ""
  where: str = ""

  @property
  def required(self) -> bool:
    """Whether the definition only says that somebody must give a value."""
    return self.value == Reference(f"%{REQUIRED}")


@dataclasses.dataclass(frozen=True)
class Binding:
  """A parameter's last binding.

  Attributes:
    value: As a macro's.
    module: Of the function or class, as its file imports it; '' if it does
      not, as on a command line.
    where: The file and the line.
    target: The full name of the function or class; '' without a module.
  """

  value: Any
  module: str = ""
  where: str = ""
  target: str = ""


class _Delegate(config_parser.ParserDelegate):
  """Notes macros and references that it meets, and resolves nothing."""

  def __init__(self, read: set[str], referenced: set[str]) -> None:
    self._read = read
    self._referenced = referenced

  def configurable_reference(self, name: str, evaluate: bool) -> Reference:
    self._referenced.add(name.rpartition("/")[2])
    return Reference(f"@{name}()" if evaluate else f"@{name}")

  def macro(self, name: str) -> Reference:
    if name != REQUIRED:
      self._read.add(name)
    return Reference(f"%{name}")


def find_file(name: str, search_path: Sequence[str]) -> str:
  """Returns the path of gin file `name`, the first on `search_path`.

  Raises:
    UserError: No such file; it gives the search path and the nearest name.
  """
  for folder in search_path:
    path = os.path.join(folder, name)
    if os.path.isfile(path):
      return path
  known = [
    path
    for folder in search_path
    for pattern in ("*.gin", "*/*.gin")
    for path in glob.glob(pattern, root_dir=folder)
  ]
  close = errors.nearest(name, known)
  raise errors.UserError(
    f"There is no gin file '{name}'.",
    expected="a file, absolute or under one of "
    + ", ".join(os.path.abspath(folder) for folder in search_path),
    remedy=(f"did you mean '{close}'? " if close else "")
    + "Other folders: --gin_search_paths=FOLDER",
  )


class Survey:
  """The macros of several gin files and bindings, read in order.

  Attributes:
    defined: Macro name → its last definition.
    read: Names that stand behind a `%` somewhere.
    bindings: `module.name.parameter`, as written but for scopes → its binding.
    scoped_bindings: `bindings`, with their scopes in front.
    configurables: The full names of all functions and classes that are bound
      or referenced, by which gin knows them.
    imported: All modules that the files import → the file and the line.
    t5x_files: T5X's own files that are wanted → the file and the line. They
      are read for T5X alone, where they can be found.
    skipped: Whether any of those was not read.
    paths: The files that were read, in their order.
    typed: Names that the command line imports.
  """

  def __init__(self, search_path: Sequence[str], for_t5x: bool = False) -> None:
    self.defined: dict[str, Macro] = {}
    self.read: set[str] = set()
    self.bindings: dict[str, Binding] = {}
    self.scoped_bindings: dict[str, Binding] = {}
    self.configurables: set[str] = set()
    self.imported: dict[str, str] = {}
    self.t5x_files: dict[str, str] = {}
    self.skipped = False
    self.paths: list[str] = []
    self.typed: set[str] = set()
    self._search_path = tuple(search_path)
    self._for_t5x = for_t5x

  def add_file(self, name: str, where: str = COMMAND_LINE) -> None:
    """Reads a file and what it includes.

    Args:
      name: Of the file, absolute or on the search path.
      where: The file and the line that name it.

    Raises:
      UserError: A file is missing or is not gin.
    """
    if gin_t5x.is_file(name):
      self.t5x_files[name] = where
      found = any(os.path.isfile(f"{f}/{name}") for f in self._search_path)
      if not (self._for_t5x and found):
        self.skipped = True
        return
    path = find_file(name, self._search_path)
    self.paths.append(path)
    with open(path, encoding="utf-8") as file:
      self._add(file, path)

  def add_binding(self, text: str) -> None:
    """Reads one statement given on the command line.

    Raises:
      UserError: The text is not gin.
    """
    self._add(text, COMMAND_LINE)

  def missing(self) -> list[str]:
    """Returns, sorted, the macros that still need a value."""
    unbound = self.read - self.defined.keys()
    required = {name for name, macro in self.defined.items() if macro.required}
    return sorted(unbound | required)

  def _add(self, text_or_file: Any, where: str) -> None:
    referenced: set[str] = set()
    modules: dict[str, tuple[str, str]] = {}
    try:
      for statement in statements(text_or_file, self.read, referenced):
        line = where
        if where != COMMAND_LINE:
          line += f", line {statement.location.line_num}"
        if isinstance(statement, config_parser.IncludeStatement):
          self.add_file(statement.filename, line)
        elif isinstance(statement, config_parser.ImportStatement):
          paths = statement.module, statement.partial_path()
          modules[statement.bound_name()] = paths
          self.imported[statement.module] = line
          if where == COMMAND_LINE:
            self.typed.add(statement.bound_name())
        elif isinstance(statement, config_parser.BindingStatement):
          if statement.arg_name:
            root, dot, rest = statement.selector.partition(".")
            module, _ = modules.get(root, ("", "")) if dot else ("", "")
            target = f"{module}.{rest}" if module else ""
            name = f"{statement.selector}.{statement.arg_name}"
            scoped = "/".join(filter(None, (statement.scope, name)))
            binding = Binding(statement.value, module, line, target)
            self.bindings[name] = self.scoped_bindings[scoped] = binding
            referenced.add(statement.selector)
          else:
            _, _, comment = statement.location.line_content.partition("#")
            name = "/".join(filter(None, statement[:2]))
            self.defined[name] = Macro(statement.value, comment.strip(), line)
    except (SyntaxError, tokenize.TokenError) as error:
      raise errors.UserError(
        f"{where} is not valid gin.",
        expected="statements such as NAME = 'text' or module.name.arg = 3",
        found=describe(error),
        remedy="correct that line; text needs quotes in gin files",
      ) from error
    for selector in referenced:
      root, _, rest = selector.partition(".")
      for path in modules.get(root, ()):
        self.configurables.add(f"{path}.{rest}")


def statements(
  text_or_file: Any,
  read: set[str] | None = None,
  referenced: set[str] | None = None,
) -> list[Any]:
  """Parses gin text into gin's own statements, resolving no reference.

  Args:
    text_or_file: The text, or a file that is open for reading.
    read: Where the names of macros that the text reads are added.
    referenced: Where the names behind an `@` are added, without scopes.

  Raises:
    SyntaxError, tokenize.TokenError: The text is not gin.
  """
  delegate = _Delegate(
    set() if read is None else read,
    set() if referenced is None else referenced,
  )
  return list(config_parser.ConfigParser(text_or_file, delegate))


def describe(error: Exception) -> str:
  """Returns gin's complaint in one line, with the place if it knows one."""
  if isinstance(error, SyntaxError) and error.lineno:
    text = (error.text or "").strip()
    return f"line {error.lineno}: {error.msg.strip()}: {text}"
  return " ".join(str(error).split())


def checked_binding(text: str, survey: Survey) -> str:
  """Checks one binding of the command line and adds it to the survey.

  Args:
    text: `NAME=VALUE`, or a whole gin statement such as an import.
    survey: What the gin files define and read.

  Returns:
    The binding as gin text, with quotes around a value that is plain text.

  Raises:
    UserError: No file knows the macro or the parameter, or the value is not
      gin and is not plain text either, or is text where a number stands in the
      files.
  """
  name, equals, value = (part.strip() for part in text.partition("="))
  if equals and re.fullmatch(r"[\w./]+", name):
    if "." in name:
      _check_configurable(name, survey)
    else:
      _check_known(name, survey)
    text = f"{name} = {_literal(name, value, survey)}"
  survey.add_binding(text)
  return text


def check_complete(survey: Survey) -> None:
  """Checks that every macro has a value.

  Raises:
    UserError: It names all that lack one, with the flag to give each.
  """
  missing = survey.missing()
  if not missing:
    return
  required = [name for name in missing if name in survey.defined]
  flags = [
    f"--gin.{name}=…  {survey.defined[name].comment}".rstrip()
    for name in required
  ]
  unbound = [name for name in missing if name not in survey.defined]
  if unbound:
    flags.append(
      f"--gin_file=experiments/… or models/…  (gives {', '.join(unbound)})"
    )
  raise errors.UserError(
    f"These macros have no value: {', '.join(missing)}.",
    remedy="add\n    " + "\n    ".join(flags),
  )


def check_no_t5x(survey: Survey) -> None:
  """Checks that no file configures T5X, which this trainer would not heed.

  Raises:
    UserError: It names each file, line and parameter, and what does the same
      here.
  """
  uses = [(where, name) for name, where in survey.t5x_files.items()]
  used = set()
  for bound, binding in survey.bindings.items():
    name = gin_t5x.full_name(bound, binding.module)
    if gin_t5x.is_module(binding.module):
      uses.append((binding.where, name))
      used.add(binding.module)
    elif binding.module == "seqio" and gin_t5x.counterpart(name) is not None:
      uses.append((binding.where, name))
  for name, macro in survey.defined.items():
    if name in gin_t5x.MACROS and name not in survey.read:
      uses.append((macro.where, name))
  uses += [
    (where, module)
    for module, where in survey.imported.items()
    if gin_t5x.is_module(module) and module not in used
  ]
  if uses:
    raise gin_t5x.refuse(uses)


def _check_configurable(name: str, survey: Survey) -> None:
  """Checks a parameter's name from the command line, scopes and all."""
  selector = name.rpartition("/")[2].rpartition(".")[0]
  if selector.partition(".")[0] in survey.typed:
    return
  known = survey.configurables
  if not any(f".{full}".endswith(f".{selector}") for full in known):
    raise _unknown(name, survey)


def _unknown(name: str, survey: Survey) -> errors.UserError:
  """Returns the error that names the nearest parameter of this trainer."""
  unscoped = name.rpartition("/")[2]
  if gin_t5x.counterpart(unscoped) is not None:
    return gin_t5x.refuse([(COMMAND_LINE, unscoped)])
  own = {
    name: binding.value
    for name, binding in survey.bindings.items()
    if binding.module
  }
  parameter = "." + name.rpartition(".")[2]
  alike = [other for other in own if other.endswith(parameter)]
  close = errors.nearest(name, alike or own)
  macro = str(own.get(close, ""))
  if macro.startswith("%"):
    close = f"{close}' or its macro '{macro.removeprefix('%')}"
  return errors.UserError(
    f"There is no parameter '{name}'.", remedy=f"did you mean '{close}'?"
  )


def _check_known(name: str, survey: Survey) -> None:
  known = sorted(survey.defined.keys() | survey.read)
  if name in known:
    return
  if gin_t5x.counterpart(name) is not None:
    raise gin_t5x.refuse([(COMMAND_LINE, name)])
  raise errors.unknown("macro", name, known)


def _literal(name: str, value: str, survey: Survey) -> str:
  """Returns `value` as a gin literal: as it is, or in quotes."""
  try:
    if len(statements(f"{name} = {value}")) == 1:
      return value
  except (SyntaxError, tokenize.TokenError):
    pass
  before = survey.defined.get(name)
  number = before is not None and type(before.value) in (int, float, bool)
  if number or value.lower() in ("true", "false", "none"):
    expected = f"such as {before.value!r}" if before and number else ""
    _refuse(name, value, expected or f"{value.capitalize()}, or quotes")
  if not value or value[0] in "[({@%'\"" or value.startswith("--"):
    _refuse(name, value, "a gin literal; text with such signs needs quotes")
  return repr(value)


def _refuse(name: str, value: str, expected: str) -> Any:
  raise errors.UserError(
    f"--gin.{name} has a value that gin cannot read.",
    expected=expected,
    found=value or "nothing",
    remedy=f"quote text twice: --gin.{name}=\"'text'\"",
  )
