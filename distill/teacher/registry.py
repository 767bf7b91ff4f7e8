"""The teachers by name, as a command line asks for them."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from distill.errors import UserError
from distill.teacher.interface import Teacher

# Where each one's class is; imported when it is asked for.
TEACHERS = {
  "builtin": "distill.teacher.builtin.teacher:BuiltinTeacher",
  "openai": "distill.teacher.openai:OpenAITeacher",
}


def create_teacher(name: str, **options: Any) -> Teacher:
  """Returns a teacher; `options` are its own (its class says them).

  Args:
    name: One of `TEACHERS`, or 'module:Class' of one of your own.
    **options: Arguments of its class; an option that is None is not given.

  Raises:
    UserError: There is no such teacher, or it has no such option.
  """
  teacher = _find(name)
  given = {key: value for key, value in options.items() if value is not None}
  known = option_names(name)
  unknown = sorted(set(given) - set(known))
  if unknown:
    raise UserError(
      f"The teacher '{name}' has no option '{unknown[0]}'.",
      expected="one of " + ", ".join(known),
    )
  return teacher(**given)


def option_names(name: str) -> list[str]:
  """Returns the options that a teacher takes."""
  return list(inspect.signature(_find(name)).parameters)


def _find(name: str) -> Callable[..., Teacher]:
  module, _, attribute = TEACHERS.get(name, name).partition(":")
  if attribute:
    try:
      return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
      found = str(error)
  else:
    found = name
  raise UserError(
    f"There is no teacher '{name}'.",
    expected="one of " + ", ".join(sorted(TEACHERS)) + ", or module:Class",
    found=found,
  )
