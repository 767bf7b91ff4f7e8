"""Checks on macros and command-line bindings that need only the text."""

import re
import tokenize
from typing import Any

from distill import errors, gin_survey, gin_t5x


def checked_binding(text: str, survey: gin_survey.Survey) -> str:
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


def check_complete(survey: gin_survey.Survey) -> None:
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


def check_no_t5x(survey: gin_survey.Survey) -> None:
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


def _check_configurable(name: str, survey: gin_survey.Survey) -> None:
  """Checks a parameter's name from the command line, scopes and all."""
  selector = name.rpartition("/")[2].rpartition(".")[0]
  if selector.partition(".")[0] in survey.typed:
    return
  known = survey.configurables
  if not any(f".{full}".endswith(f".{selector}") for full in known):
    raise _unknown(name, survey)


def _unknown(name: str, survey: gin_survey.Survey) -> errors.UserError:
  """Returns the error that names the nearest parameter of this trainer."""
  unscoped = name.rpartition("/")[2]
  if gin_t5x.counterpart(unscoped) is not None:
    return gin_t5x.refuse([(gin_survey.COMMAND_LINE, unscoped)])
  own = {
    name: binding.value
    for name, binding in survey.bindings.items()
    if binding.module
  }
  parameter = "." + name.rpartition(".")[2]
  alike = [other for other in own if other.endswith(parameter)]
  close = gin_survey.nearest(name, alike or own)
  macro = str(own.get(close, ""))
  if macro.startswith("%"):
    close = f"{close}' or its macro '{macro.removeprefix('%')}"
  return errors.UserError(
    f"There is no parameter '{name}'.", remedy=f"did you mean '{close}'?"
  )


def _check_known(name: str, survey: gin_survey.Survey) -> None:
  known = sorted(survey.defined.keys() | survey.read)
  if name in known:
    return
  if gin_t5x.counterpart(name) is not None:
    raise gin_t5x.refuse([(gin_survey.COMMAND_LINE, name)])
  raise errors.UserError(
    f"No loaded gin file defines or reads the macro '{name}'.",
    expected="one of " + ", ".join(known),
    remedy=f"did you mean '{gin_survey.nearest(name, known)}'?",
  )


def _literal(name: str, value: str, survey: gin_survey.Survey) -> str:
  """Returns `value` as a gin literal: as it is, or in quotes."""
  try:
    if len(gin_survey.statements(f"{name} = {value}")) == 1:
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
