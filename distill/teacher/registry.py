"""The teachers by name, as a command line asks for them."""

import inspect
from typing import Any

from distill.errors import UserError
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import Teacher

TEACHERS = {"builtin": BuiltinTeacher}


def create_teacher(name: str, **options: Any) -> Teacher:
  """Returns a teacher; `options` are its own (its class says them).

  Raises:
    UserError: There is no such teacher, or it has no such option.
  """
  if name not in TEACHERS:
    raise UserError(
      f"There is no teacher '{name}'.",
      expected="one of " + ", ".join(sorted(TEACHERS)),
    )
  known = list(inspect.signature(TEACHERS[name]).parameters)
  unknown = sorted(set(options) - set(known))
  if unknown:
    raise UserError(
      f"The teacher '{name}' has no option '{unknown[0]}'.",
      expected="one of " + ", ".join(known),
    )
  return TEACHERS[name](**options)
