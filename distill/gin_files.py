"""Gin files read as text: what they define, read, bind and import.

Reading text imports nothing, so `gin_checks` reports a mistake before JAX,
TensorFlow or a model is imported.
"""

import dataclasses
import glob
import os
import tokenize
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gin import config_parser

from distill import errors

REQUIRED = "gin.REQUIRED"
COMMAND_LINE = "the command line"


@dataclasses.dataclass(frozen=True)
class Configurable:
  """A function or a class that gin configures.

  Attributes:
    module: The full name of its module; '' where no file imports it.
    name: Its name in the module, such as `Class` or `Class.method`; without a
      module, the name as written.
  """

  module: str
  name: str

  @property
  def full(self) -> str:
    """The module and the name."""
    return f"{self.module}.{self.name}".lstrip(".")


@dataclasses.dataclass(frozen=True)
class Reference:
  """What stands in the text where gin would put an object.

  Attributes:
    text: The reference as written: `%NAME`, `@name` or `@name()`.
    configurable: The function or the class that it refers to, None for a macro.
  """

  text: str
  configurable: Configurable | None = dataclasses.field(
    default=None, compare=False
  )

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
    where: The file and the line.
    scope: Its scope, '' without one.
    configurable: The function or the class that has the parameter.
    written: `module.name.parameter` as written, without the scope.
  """

  value: Any
  where: str
  scope: str
  configurable: Configurable
  written: str

  @property
  def parameter(self) -> str:
    """The name of the parameter."""
    return self.written.rpartition(".")[2]


# What stands in front of names in a file → the module's full name, and the name
# by which gin registers it.
_Imports = dict[str, tuple[str, str]]


class _Delegate(config_parser.ParserDelegate):
  """Notes macros and references that it meets, and makes no object.

  Attributes:
    read: The names of the macros.
    resolve: From a name behind an `@`, without scopes, to its configurable.
  """

  def __init__(
    self, read: set[str], resolve: Callable[[str], Configurable]
  ) -> None:
    self._read = read
    self._resolve = resolve

  def configurable_reference(self, name: str, evaluate: bool) -> Reference:
    found = self._resolve(name.rpartition("/")[2])
    return Reference(f"@{name}()" if evaluate else f"@{name}", found)

  def macro(self, name: str) -> Reference:
    if name != REQUIRED:
      self._read.add(name)
    return Reference(f"%{name}")


def is_of_t5x(name: str) -> bool:
  """Returns whether a gin file's name is one of T5X's own."""
  return name.startswith("t5x/")


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
    bindings: Scope and full name of each parameter → its last binding.
    configurables: The names by which gin knows all functions and classes that
      are bound or referenced.
    imported: All modules that the files import → the file and the line.
    t5x_files: T5X's own files that are included or named → the file and the
      line. They are read for T5X alone, where they can be found.
    skipped: Whether any of those was not read.
    paths: The files that were read, in their order.
  """

  def __init__(self, search_path: Sequence[str], for_t5x: bool = False) -> None:
    self.defined: dict[str, Macro] = {}
    self.read: set[str] = set()
    self.bindings: dict[str, Binding] = {}
    self.configurables: dict[str, Configurable] = {}
    self.imported: dict[str, str] = {}
    self.t5x_files: dict[str, str] = {}
    self.skipped = False
    self.paths: list[str] = []
    self._typed: _Imports = {}  # of the command line
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
    if is_of_t5x(name):
      self.t5x_files[name] = where
      found = any(os.path.isfile(f"{f}/{name}") for f in self._search_path)
      if not (self._for_t5x and found):
        self.skipped = True
        return
    path = find_file(name, self._search_path)
    self.paths.append(path)
    with open(path, encoding="utf-8") as file:
      self._add(file, path, {})

  def add_binding(self, text: str) -> None:
    """Reads one statement given on the command line.

    Raises:
      UserError: The text is not gin.
    """
    self._add(text, COMMAND_LINE, self._typed)

  def missing(self) -> list[str]:
    """Returns, sorted, the macros that still need a value."""
    unbound = self.read - self.defined.keys()
    required = {name for name, macro in self.defined.items() if macro.required}
    return sorted(unbound | required)

  def knows(self, selector: str) -> bool:
    """Returns whether a name may stand for a function or a class."""
    imported = selector.partition(".")[0] in self._typed
    return imported or bool(self.find(selector))

  def find(self, selector: str) -> set[Configurable]:
    """Returns the functions and classes that gin may find by a name."""
    return {
      found
      for name, found in self.configurables.items()
      if f".{name}".endswith(f".{selector}")
    }

  def _add(self, text_or_file: Any, where: str, imports: _Imports) -> None:
    delegate = _Delegate(self.read, lambda name: self._resolve(name, imports))
    try:
      for statement in config_parser.ConfigParser(text_or_file, delegate):
        line = where
        if where != COMMAND_LINE:
          line += f", line {statement.location.line_num}"
        if isinstance(statement, config_parser.IncludeStatement):
          self.add_file(statement.filename, line)
        elif isinstance(statement, config_parser.ImportStatement):
          self.imported[statement.module] = line
          plain = not (statement.is_from or statement.alias)
          name = statement.module if plain else statement.bound_name()
          registered = name if plain else statement.partial_path()
          imports[name] = statement.module, registered
        elif isinstance(statement, config_parser.BindingStatement):
          self._bind(statement, line, imports)
    except (SyntaxError, tokenize.TokenError) as error:
      raise errors.UserError(
        f"{where} is not valid gin.",
        expected="statements such as NAME = 'text' or module.name.arg = 3",
        found=describe(error),
        remedy="correct that line; text needs quotes in gin files",
      ) from error

  def _bind(self, statement: Any, where: str, imports: _Imports) -> None:
    """Notes the definition of a macro or the binding of a parameter."""
    scope, selector, parameter, value, location = statement
    if not parameter:
      comment = location.line_content.partition("#")[2].strip()
      self.defined[f"{scope}/{selector}".lstrip("/")] = Macro(
        value, comment, where
      )
      return
    configurable = self._resolve(selector, imports)
    self.bindings[f"{scope}/{configurable.full}.{parameter}"] = Binding(
      value, where, scope, configurable, f"{selector}.{parameter}"
    )

  def _resolve(self, selector: str, imports: _Imports) -> Configurable:
    """Returns what gin finds by a name: through imports, or what it knows."""
    for prefix in sorted(imports, key=len, reverse=True):
      if selector.startswith(f"{prefix}."):
        module, registered = imports[prefix]
        name = selector.removeprefix(f"{prefix}.")
        found = Configurable(module, name)
        self.configurables[found.full] = found
        self.configurables[f"{registered}.{name}"] = found
        return found
    matches = self.find(selector)
    return matches.pop() if len(matches) == 1 else Configurable("", selector)


def config_text(survey: Survey) -> str:
  """Returns a whole configuration as one gin file that includes no other."""
  lines = ["from __gin__ import dynamic_registration", ""]
  names = {"": "", "gin": "gin"}  # module → what stands for it; gin's is taken
  for module in sorted(survey.imported):
    package, _, name = module.rpartition(".")
    if package != "__gin__":
      names[module] = name
      while list(names.values()).count(names[module]) > 1:
        names[module] += "_"
      alias = "" if names[module] == name else f" as {names[module]}"
      lines.append(f"{package and f'from {package} '}import {name}{alias}")

  def named(configurable: Configurable) -> str:
    return f"{names[configurable.module]}.{configurable.name}".lstrip(".")

  def printed(value: Any) -> Any:
    """Returns a value with these names in its references."""
    if isinstance(value, Reference) and value.configurable:
      scope, slash, selector = value.text.rpartition("/")
      end = "()" if selector.endswith("()") else ""
      full = named(value.configurable)
      return Reference(f"{scope or '@'}{slash}{full}{end}")
    if isinstance(value, Mapping):
      return {printed(key): printed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
      return type(value)(map(printed, value))
    return value

  lines.append("")
  for name, macro in sorted(survey.defined.items()):
    lines.append(f"{name} = {printed(macro.value)!r}")
  blocks: dict[str, list[str]] = {}
  for binding in survey.bindings.values():
    owner = f"{binding.scope}/{named(binding.configurable)}".lstrip("/")
    value = f"  {binding.parameter} = {printed(binding.value)!r}"
    blocks.setdefault(owner, []).append(value)
  for owner, values in sorted(blocks.items()):
    lines += ["", f"{owner}:", *values]
  return "\n".join(lines)


def statements(text: str) -> list[Any]:
  """Parses gin text into gin's own statements, resolving no reference.

  Raises:
    SyntaxError, tokenize.TokenError: The text is not gin.
  """
  delegate = _Delegate(set(), lambda name: Configurable("", name))
  return list(config_parser.ConfigParser(text, delegate))


def describe(error: Exception) -> str:
  """Returns gin's complaint in one line, with the place if it knows one."""
  if isinstance(error, SyntaxError) and error.lineno:
    text = (error.text or "").strip()
    return f"line {error.lineno}: {error.msg.strip()}: {text}"
  return " ".join(str(error).split())
