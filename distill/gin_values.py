"""Checks gin's values against the annotations of the parameters they reach.

The annotations are read from the source of this package and nothing is
imported, so that `BATCH_SIZE = 16.0` is an error before JAX is loaded.
"""

import ast
import functools
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import distill
from distill import errors, gin_files

_PACKAGE = "distill."
_MACRO = re.compile(r"%([\w./]+)")
# By the annotation: the types of value that gin may bind, and their name.
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
  "int": ((int,), "a whole number"),
  "float": ((int, float), "a number"),
  "bool": ((bool,), "True or False"),
  "str": ((str,), "text"),
}
_CONTAINERS = {"tuple": (list, tuple), "list": (list, tuple),
               "Sequence": (list, tuple), "Mapping": (dict,),
               "dict": (dict,)}  # fmt: skip
Resolve = Callable[[Any], Any]


def check_values(survey: gin_files.Survey) -> None:
  """Checks every value that gin binds to a parameter of this package.

  Raises:
    UserError: A value has another type than the parameter, or is out of its
      range; the macro is named.
  """
  for name, binding in survey.scoped_bindings.items():
    targets = [binding.target] if binding.target else _targets(name, survey)
    parameters: dict[str, ast.expr] = {}
    for target in targets:
      module, _, function = target.rpartition(".")
      parameters |= _parameters(module, function)
    annotation = parameters.get(name.rpartition(".")[2])
    macro, value = _follow(name, binding.value, survey)
    expected = annotation and _mismatch(
      annotation, value, lambda part: _follow("", part, survey)[1]
    )
    if expected:
      raise errors.UserError(
        f"{macro} has a value that cannot be used.",
        expected=expected,
        found=repr(value),
        remedy=f"correct {macro} in the gin file or on the command line",
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


def _targets(name: str, survey: gin_files.Survey) -> list[str]:
  """Returns the full names that may be behind a selector."""
  selector = name.rpartition("/")[2].rpartition(".")[0]
  return [
    full for full in survey.configurables if f".{full}".endswith(f".{selector}")
  ]


@functools.cache
def _parameters(module: str, name: str) -> Mapping[str, ast.expr]:
  """Returns the annotations of a function's or a class's parameters."""
  for node in _source(module).body:
    if isinstance(node, ast.FunctionDef) and node.name == name:
      return _arguments(node)
    if isinstance(node, ast.ClassDef) and node.name == name:
      for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
          return _arguments(inner)
      return {
        inner.target.id: inner.annotation
        for inner in node.body
        if isinstance(inner, ast.AnnAssign)
        and isinstance(inner.target, ast.Name)
      }
    if isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        if (alias.asname or alias.name) == name:
          return _parameters(node.module, alias.name)
  return {}


@functools.cache
def _source(module: str) -> ast.Module:
  """Returns the source of a module of this package, else an empty one."""
  if not module.startswith(_PACKAGE):
    return ast.Module([], [])
  # Not by `find_spec`, which imports the packages above the module.
  package = pathlib.Path(distill.__file__).parent.parent
  path = package.joinpath(*module.split("."))
  for file in (path.with_suffix(".py"), path / "__init__.py"):
    if file.is_file():
      return ast.parse(file.read_text(encoding="utf-8"))
  return ast.Module([], [])  # Gin says so when it imports it.


def _arguments(node: ast.FunctionDef) -> Mapping[str, ast.expr]:
  every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
  return {one.arg: one.annotation for one in every if one.annotation}


def _mismatch(node: ast.expr, value: Any, resolve: Resolve) -> str:
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
  if name in _TYPES:
    types, expected = _TYPES[name]
    # A bool is an int in Python, and not in a configuration.
    fits = isinstance(value, types) and (
      name == "bool" or not isinstance(value, bool)
    )
    return "" if fits else expected
  least = getattr(getattr(errors, name, None), "__metadata__", None)
  if least is None:
    return ""
  if _mismatch_of_name("int", value) or value < least[0]:
    return f"a whole number of at least {least[0]}"
  return ""


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
