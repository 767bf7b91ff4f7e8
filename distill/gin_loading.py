"""Gin, loaded with errors that say what would have been right."""

import contextlib
import inspect
import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gin
from etils import epath

from distill import errors, gin_survey


def load(
  files: Sequence[str], bindings: Sequence[str], search_path: Sequence[str]
) -> None:
  """Replaces gin's configuration by these files and bindings, and locks it.

  Raises:
    UserError: A file names a function, a parameter or a module that does not
      exist, or is not valid gin.
  """
  gin.clear_config()
  # gin's own function only appends, and puts the working directory first.
  gin.config._LOCATION_PREFIXES[:] = search_path
  with _user_errors(), _quiet_search():
    for file in files:
      gin.parse_config_file(file)
    gin.parse_config(bindings)
    gin.finalize()


def call(function: Callable[..., Any]) -> Any:
  """Calls a function with the parameters that gin has for it.

  Raises:
    UserError: Gin has no value for a parameter, or what the function raised,
      without the lines that gin appends to it.
  """
  bound = gin.get_bindings(function, resolve_references=False)
  lacking = [
    name
    for name, parameter in inspect.signature(function).parameters.items()
    if parameter.default is parameter.empty and name not in bound
  ]
  if lacking:
    raise errors.UserError(
      f"The gin files bind nothing to {', '.join(lacking)} of "
      f"{function.__module__}.{function.__name__}.",
      remedy="name the run file of this command, or none",
    )
  with _user_errors():
    return gin.get_configurable(function)()


def write_operative_config(folder: str) -> None:
  """Writes the parameters in use to `folder`/config.gin, T5X's name for it."""
  path = epath.Path(folder) / "config.gin"
  partial = path.with_suffix(".partial")
  partial.write_text(gin.operative_config_str())
  partial.replace(path)


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
  """Turns gin's complaints, and no others, into user errors."""
  try:
    yield
  except errors.UserError as error:
    raise errors.UserError(
      error.what,
      expected=error.expected,
      found=error.found,
      remedy=error.remedy,
    ) from error
  except Exception as error:
    # A bug in our code or the user's has its last frame elsewhere.
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith("gin."):
      raise
    close = _suggestion(str(error))
    raise errors.UserError(
      "The gin configuration cannot be used.",
      found=gin_survey.describe(error),
      remedy=f"did you mean '{close}'?" if close else "mend that line",
    ) from error


@contextlib.contextmanager
def _quiet_search() -> Iterator[None]:
  """Keeps gin from logging each folder that does not have a file."""

  def is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Path not found")

  logging.getLogger().addFilter(is_news)
  try:
    yield
  finally:
    logging.getLogger().removeFilter(is_news)


def _suggestion(message: str) -> str:
  """Returns the nearest name that exists to the one gin complains about."""
  if found := re.search(r"matching (?:reference )?'@?([\w./]+)", message):
    return gin_survey.nearest(found[1], _configurables())
  if found := re.search(r"'(\S+)' doesn't have a parameter .*'(\w+)'", message):
    selector = found[1].rpartition(".")[2]
    [function, *_] = gin.config._REGISTRY.get_all_matches(selector)
    parameters = inspect.signature(function.wrapped).parameters
    return gin_survey.nearest(found[2], parameters)
  if found := re.search(r"<module '(\S+)'.*no attribute (\w+)", message):
    return gin_survey.nearest(found[2], dir(sys.modules[found[1]]))
  return ""


def _configurables() -> list[str]:
  """Returns `module.name` of all that the loaded files made configurable."""
  return [
    ".".join(selector.split(".")[-2:])
    for selector, _ in gin.config._REGISTRY.items()
  ]
