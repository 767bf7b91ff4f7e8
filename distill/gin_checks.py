"""Checks of what gin files and the command line say, from their text alone.

The parameters of this package's functions are read from its source. Nothing is
imported, so that `BATCH_SIZE = 16.0` is an error before JAX is loaded.
"""

import ast
import functools
import pathlib
import re
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

import distill
from distill import errors, gin_files, gin_t5x

_PACKAGE = "distill."
_MACRO = re.compile(r"%([\w./]+)")
# By the annotation: the types of value that gin may bind, and their name.
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
  "int": ((int,), "a whole number"),
  "float": ((int, float), "a number"),
  "bool": ((bool,), "True or False"),
  "str": ((str,), "text"),
}
_CONTAINERS: Mapping[str, tuple[Any, ...]] = {
  **dict.fromkeys(("tuple", "list", "Sequence"), (list, tuple)),
  **dict.fromkeys(("Mapping", "dict"), (dict,)),
}
Resolve = Callable[[Any], Any]
# Name → annotation; with `_OTHERS` among the names, any may be bound.
Parameters = Mapping[str, ast.expr | None]
_OTHERS = "**"


def checked_binding(text: str, survey: gin_files.Survey) -> str:
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
    _check_name(name, survey)
    text = f"{name} = {_literal(name, value, survey)}"
  survey.add_binding(text)
  return text


def check_complete(survey: gin_files.Survey) -> None:
  """Checks that every macro has a value.

  Raises:
    UserError: It names all that lack one, with the flag to give each.
  """
  missing = survey.missing()
  if not missing:
    return
  flags = [
    f"--gin.{name}=…  {survey.defined[name].comment}".rstrip()
    for name in missing
    if name in survey.defined
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


def check_values(survey: gin_files.Survey) -> None:
  """Checks every parameter of this package that gin binds, and its value.

  Raises:
    UserError: There is no such function or parameter, or a value has another
      type than the parameter, or is out of its range; the macro is named.
  """
  for binding in survey.bindings.values():
    owner, parameter = binding.configurable, binding.parameter
    parameters = _parameters(owner.module, owner.name)
    if not {parameter, _OTHERS} & parameters.keys():
      raise errors.unknown(
        f"parameter of {owner.full}",
        parameter,
        parameters,
        f"correct it in {binding.where}",
      )
    written = f"{binding.scope}/{binding.written}".lstrip("/")
    macro, value = _follow(written, binding.value, survey)
    expected = _mismatch(
      parameters.get(parameter),
      value,
      lambda part: _follow("", part, survey)[1],
    )
    if expected:
      raise errors.UserError(
        f"{macro} has a value that cannot be used.",
        expected=expected,
        found=repr(value),
        remedy=f"correct {macro} in the gin file or on the command line",
      )


def _check_name(name: str, survey: gin_files.Survey) -> None:
  """Checks the name of a macro or a parameter from the command line."""
  unscoped = name.rpartition("/")[2]
  selector = unscoped.rpartition(".")[0]
  macros = sorted(survey.defined.keys() | survey.read)
  if survey.knows(selector) if selector else name in macros:
    return
  if gin_t5x.counterpart(unscoped) is not None:
    raise gin_t5x.refuse([(gin_files.COMMAND_LINE, unscoped)])
  if not selector:
    raise errors.unknown("macro", name, macros)
  known = {
    binding.written: str(binding.value)
    for binding in survey.bindings.values()
    if binding.configurable.module
  }
  parameter = "." + name.rpartition(".")[2]
  alike = [other for other in known if other.endswith(parameter)]
  close = errors.nearest(name, alike or known)
  macro = known.get(close, "")
  if macro.startswith("%"):
    close = f"{close}' or its macro '{macro.removeprefix('%')}"
  raise errors.UserError(
    f"There is no parameter '{name}'.", remedy=f"did you mean '{close}'?"
  )


def _literal(name: str, value: str, survey: gin_files.Survey) -> str:
  """Returns `value` as a gin literal: as it is, or in quotes."""
  try:
    if len(gin_files.statements(f"{name} = {value}")) == 1:
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


def _follow(name: str, value: Any, survey: gin_files.Survey) -> tuple[str, Any]:
  """Returns the last macro behind a value, and what it is defined as."""
  seen = set()
  while isinstance(value, gin_files.Reference):
    macro = _MACRO.fullmatch(value.text)
    if not macro or macro[1] in seen or macro[1] not in survey.defined:
      break
    name = macro[1]
    seen.add(name)
    value = survey.defined[name].value
  return name, value


@functools.cache
def _parameters(module: str, name: str) -> Parameters:
  """Returns the parameters of a function or a class of this package."""
  for node in _source(module).body:
    if isinstance(node, ast.FunctionDef) and node.name == name:
      return _arguments(node)
    if isinstance(node, ast.ClassDef) and node.name == name:
      return _fields(node)
    if isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        if (alias.asname or alias.name) == name:
          return _parameters(node.module, alias.name)
  return {_OTHERS: None}  # of another package, or a method


@functools.cache
def _source(module: str) -> ast.Module:
  """Returns the source of a module of this package, else an empty one."""
  if module.startswith(_PACKAGE):
    # Not by `find_spec`, which imports the packages above the module.
    path = pathlib.Path(distill.__file__).parent.parent / module.replace(
      ".", "/"
    )
    for file in (path.with_suffix(".py"), path / "__init__.py"):
      if file.is_file():
        return ast.parse(file.read_text(encoding="utf-8"))
  return ast.Module([], [])  # Gin says so when it imports it.


def _fields(node: ast.ClassDef) -> Parameters:
  """Returns the parameters of `__init__`, or the fields of a dataclass."""
  for inner in node.body:
    if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
      return _arguments(inner)
  fields: Parameters = {
    inner.target.id: inner.annotation
    for inner in node.body
    if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name)
  }
  return {**fields, _OTHERS: None} if node.bases else fields


def _arguments(node: ast.FunctionDef) -> Parameters:
  every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
  named = {one.arg: one.annotation for one in every}
  return {**named, _OTHERS: None} if node.args.kwarg else named


def _mismatch(node: ast.expr | None, value: Any, resolve: Resolve) -> str:
  """Returns what an annotation expects of a value, '' where the value fits.

  A reference to a function and an annotation that is not known here fit.
  """
  value = resolve(value)
  if isinstance(value, gin_files.Reference):
    return ""
  if isinstance(node, ast.BinOp):
    sides = [_mismatch(n, value, resolve) for n in (node.left, node.right)]
    return " or ".join(sides) if all(sides) else ""
  if isinstance(node, ast.Constant):
    return "None" if node.value is None and value is not None else ""
  if isinstance(node, ast.Name):
    return _mismatch_of_name(node.id, value)
  if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
    return _mismatch_of_items(node.value.id, node.slice, value, resolve)
  return ""


def _mismatch_of_name(name: str, value: Any) -> str:
  # By the exact type: a bool is an int in Python, and not in a configuration.
  if least := getattr(getattr(errors, name, None), "__metadata__", None):
    fits = type(value) is int and value >= least[0]
    return "" if fits else f"a whole number of at least {least[0]}"
  types, expected = _TYPES.get(name, ((type(value),), ""))
  return "" if type(value) in types else expected


def _mismatch_of_items(
  container: str, items: ast.expr, value: Any, resolve: Resolve
) -> str:
  """Returns what is expected of a container or of the values in it."""
  types = _CONTAINERS.get(container)
  if types is None:
    return ""
  if not isinstance(value, types):
    # Its own function says what it takes: text may stand for a list of one.
    return "" if isinstance(value, str) else f"a {types[0].__name__}"
  kinds = items.elts if isinstance(items, ast.Tuple) else [items]
  parts = value.values() if isinstance(value, dict) else value
  if container == "tuple" and not isinstance(kinds[-1], ast.Constant):
    pairs = list(zip(kinds, parts, strict=False))
  else:
    kind = kinds[-1] if isinstance(value, dict) else kinds[0]
    pairs = [(kind, part) for part in parts]
  for kind, part in pairs:
    if expected := _mismatch(kind, part, resolve):
      return f"{expected} for each item"
  return ""
