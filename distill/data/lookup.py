"""Checks the names of families, tasks and modules, and says what is there.

Commands check names with it before they import TensorFlow and SeqIO.
"""

import ast
import difflib
import functools
import importlib.util
import os
import pathlib
import pkgutil
import re
from collections.abc import Iterable, Sequence

import gin

from distill.data.methods import METHODS, suffixes
from distill.errors import UserError

CACHE_ROOT_VARIABLE = "DISTILL_DATA_DIR"
_FAMILIES = re.compile(r"^FAMILIES = (\(.*?\))$", re.MULTILINE | re.DOTALL)


def cache_root() -> str:
  """Returns $DISTILL_DATA_DIR, read now: a folder with a cache a family.

  Raises:
    UserError: It is not set.
  """
  root = os.environ.get(CACHE_ROOT_VARIABLE, "")
  if root:
    return root
  raise UserError(
    f"Nothing says where caches are: {CACHE_ROOT_VARIABLE} is not set.",
    expected="a folder or a gs:// path, with a folder a dataset family",
    remedy=f"run `export {CACHE_ROOT_VARIABLE}=…`",
  )


@functools.cache
def shipped_families() -> tuple[str, ...]:
  """Returns the families of the package `tasks`, which is not imported.

  A module has the family of its name, or those that its `FAMILIES` lists.
  """
  spec = importlib.util.find_spec("tasks")
  names: list[str] = []
  for folder in (spec.submodule_search_locations if spec else None) or ():
    for module in pkgutil.iter_modules([folder]):
      text = pathlib.Path(folder, f"{module.name}.py").read_text("utf-8")
      several = _FAMILIES.search(text)
      names += ast.literal_eval(several[1]) if several else [module.name]
  return tuple(sorted(names))


def check_module(module: str) -> None:
  """Raises UserError if there is no such module; it is not imported."""
  try:
    found = importlib.util.find_spec(module.partition(".")[0])
  except (ImportError, ValueError):
    found = None
  if found is None:
    raise _no_module(module)


def check_family(
  name: str, modules: Sequence[str] = (), cache: str = ""
) -> None:
  """Raises UserError if no module can register a family of that name.

  No module is imported. Those of `modules` may register any name, and so may
  those that the manifest of the folder `cache` names.
  """
  for module in modules:
    check_module(module)
  others = modules or (cache and _may_be_cache(cache))
  if not others and name not in shipped_families():
    raise unknown_name("dataset family", name, shipped_families())


def _may_be_cache(folder: str) -> bool:
  return "://" in folder or os.path.exists(f"{folder}/manifest.json")


def check_task(name: str) -> None:
  """Raises UserError if the package `tasks` has no such task or mixture.

  A cache in DISTILL_DATA_DIR may name the module of another one.
  """
  data, parts = os.environ.get(CACHE_ROOT_VARIABLE, ""), name.split("_")
  stems = {"_".join(parts[:end]) for end in range(1, len(parts))}
  stems -= {*shipped_families()}
  if data and any(_may_be_cache(os.path.join(data, stem)) for stem in stems):
    return
  families = shipped_families()
  known = {family + suffix for family in families for suffix in suffixes()}
  # `register_augmented` puts another family's name behind.
  augmented = any(
    name.endswith(f"_{family}") and name.removesuffix(f"_{family}") in known
    for family in families
  )
  if name not in known and not augmented:
    raise unknown_task(name, known)


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
    raise _no_module(module) from error


def _no_module(module: str) -> UserError:
  return UserError(
    f"There is no Python module '{module}' to register tasks.",
    expected="a module that can be imported, e.g. 'tasks'",
    remedy="correct its name, or put its folder on PYTHONPATH",
  )


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


def unknown_task(name: str, known: set[str]) -> UserError:
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
