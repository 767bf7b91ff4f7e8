"""Finds what was registered, or says what is there instead."""

import difflib
import importlib
from collections.abc import Iterable

import gin
import seqio

from distill.data.methods import METHODS
from distill.errors import UserError


def import_registrations(module: str) -> None:
  """Imports a module for the tasks that it registers.

  Raises:
    UserError: There is no such module. An error inside it passes through.
  """
  try:
    # T5X locks gin before it asks for a task; a module may still register
    # what gin is to configure.
    with gin.unlock_config():
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


def unknown_name(
  what: str, name: str, known: Iterable[str], expected: str = ""
) -> UserError:
  """Returns the error for a name that nobody registered.

  Without `expected` it names all that are known.
  """
  names = sorted(known)
  near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
  return UserError(
    f"There is no {what} '{name}'.",
    expected=expected
    or ("one of " + ", ".join(names) if names else "nothing is registered"),
    remedy=("did you mean " + " or ".join(near) + "? If not, " if near else "")
    + "name the module that registers it"
    " (--module, or the gin macro MIXTURE_OR_TASK_MODULE)",
  )


def get_mixture_or_task(
  name: str, module: str | None = None
) -> seqio.Task | seqio.Mixture:
  """Returns a registered mixture or task, after importing `module`.

  What still nobody registered may be of a cache, whose manifest names a module.

  Raises:
    UserError: Nobody registered that name, or there is no such module.
  """
  from distill.data import recorded_modules  # which needs this module

  if module is not None:
    import_registrations(module)
  if name not in _registered():
    recorded_modules.import_for_task(str(name))
  if name not in _registered():
    raise _unknown_task(str(name), _registered())
  return seqio.get_mixture_or_task(name)


def _registered() -> set[str]:
  return {*seqio.MixtureRegistry.names(), *seqio.TaskRegistry.names()}


def _unknown_task(name: str, known: set[str]) -> UserError:
  """Returns the error that names a dataset's own tasks, or what makes one up.

  A dataset is what has a task `<dataset>_finetune`.
  """
  what, task = "task or mixture", "_finetune"
  datasets = [n.removesuffix(task) for n in known if n.endswith(task)]
  its = [d for d in datasets if name.startswith(f"{d}_")]
  if its:
    prefix = f"{max(its, key=len)}_"
    return unknown_name(what, name, {n for n in known if n.startswith(prefix)})
  if not datasets:
    return unknown_name(what, name, known)
  return unknown_name(
    what,
    name,
    known,
    "<dataset>_<method>, a dataset of "
    + ", ".join(sorted(datasets))
    + "; a method of "
    + ", ".join(METHODS)
    + "; or a task of your own module",
  )
