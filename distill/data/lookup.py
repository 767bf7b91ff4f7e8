"""Finds what was registered, or says what is there instead."""

import difflib
import importlib
from collections.abc import Iterable

import seqio

from distill.errors import UserError


def import_registrations(module: str) -> None:
  """Imports a module for the tasks that it registers.

  Raises:
    UserError: There is no such module. An error inside it passes through.
  """
  try:
    importlib.import_module(module)
  except ModuleNotFoundError as error:
    # Otherwise the module is there, and it misses one itself.
    if error.name is None or not f"{module}.".startswith(f"{error.name}."):
      raise
    raise UserError(
      f"There is no Python module '{module}' to register tasks.",
      expected="a module that can be imported, e.g. 'tasks'",
      remedy="correct its name, or put its folder on PYTHONPATH",
    ) from error


def unknown_name(what: str, name: str, known: Iterable[str]) -> UserError:
  """Returns the error for a name that nobody registered."""
  names = sorted(known)
  near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
  return UserError(
    f"There is no {what} '{name}'.",
    expected="one of " + ", ".join(names) if names else "nothing is registered",
    remedy=("did you mean " + " or ".join(near) + "? If not, " if near else "")
    + "name the module that registers it"
    " (--module, or the gin macro MIXTURE_OR_TASK_MODULE)",
  )


def get_mixture_or_task(
  name: str, module: str | None = None
) -> seqio.Task | seqio.Mixture:
  """Returns a registered mixture or task, after importing `module`.

  Raises:
    UserError: Nobody registered that name, or there is no such module.
  """
  if module is not None:
    import_registrations(module)
  mixtures, tasks = seqio.MixtureRegistry.names(), seqio.TaskRegistry.names()
  if name not in mixtures and name not in tasks:
    raise unknown_name("task or mixture", str(name), {*mixtures, *tasks})
  return seqio.get_mixture_or_task(name)
