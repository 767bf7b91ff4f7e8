"""Families of modules that a cache's manifest names, where no flag names one.

A manifest may come from others, so that nothing is imported by its word alone:
the name must be a module's, and a line on stderr says what is imported.
"""

import keyword
import os
import shlex
import sys
from collections.abc import Sequence

from distill.data import lookup, registration
from distill.data.cache import manifest
from distill.data.family_views import Family
from distill.errors import UserError


def find_family(
  name: str, modules: Sequence[str], directory: str, split: str = ""
) -> tuple[Family, list[str]]:
  """Returns a family, and the modules that register it.

  Args:
    name: The family's.
    modules: Those that the user names, which win over the manifest's.
    directory: The cache whose manifest may name others.
    split: The split whose modules are wanted; '' is any.

  Raises:
    UserError: Nobody registers that name, or a module cannot be imported.
  """
  if not modules:
    lookup.import_registrations("tasks")
    if name not in registration.FAMILIES:
      modules = import_modules(name, directory, split)
  return registration.find_family(name, modules), list(modules)


def import_modules(name: str, directory: str, split: str = "") -> list[str]:
  """Imports the modules that a cache's manifest names, and returns them.

  Raises:
    UserError: A name is no module's, or there is no such module; it names the
      manifest.
  """
  found = manifest.read(directory)
  if found is None or found.family != name:
    return []
  entries = [found.splits[split]] if split in found.splits else []
  entries = entries or list(found.splits.values())
  modules = list(dict.fromkeys(m for e in entries for m in _modules(e)))
  path = os.path.join(directory, manifest.FILE_NAME)
  for module in modules:
    if not all(map(_is_name, module.split("."))):
      raise UserError(
        f"{path} names a module that cannot be one.",
        expected="names with dots between them, such as 'my_tasks'",
        found=module,
        remedy="name the module of the family by --module or the gin macro"
        " MIXTURE_OR_TASK_MODULE",
      )
  for module in modules:
    print(
      f"Importing the module '{module}', which registers '{name}' by {path}",
      file=sys.stderr,
    )
    try:
      lookup.import_registrations(module)
    except UserError as error:
      raise UserError(
        f"The module '{module}', which registers '{name}', cannot be found.",
        expected=f"the module that {path} names",
        remedy="put its folder on PYTHONPATH, or name another one by --module"
        " or the gin macro MIXTURE_OR_TASK_MODULE",
      ) from error
  return modules


def import_for_task(task: str) -> None:
  """Imports what the caches of DISTILL_DATA_DIR name for a task, if any.

  Raises:
    UserError: As `import_modules`.
  """
  root = os.environ.get("DISTILL_DATA_DIR", "")
  parts = task.split("_")
  for end in range(len(parts) - 1, 0, -1) if root else ():
    family = "_".join(parts[:end])
    if import_modules(family, os.path.join(root, family)):
      return


def _modules(entry: manifest.SplitEntry) -> Sequence[str]:
  """Returns the modules of an entry; older ones have them among the flags."""
  if entry.modules:
    return entry.modules
  try:
    words = shlex.split(entry.flags)
  except ValueError:
    return ()
  flags = [word for word in words if word.startswith("--module=")]
  return [flag.partition("=")[2].rstrip(")") for flag in flags]


def _is_name(part: str) -> bool:
  return part.isidentifier() and not keyword.iskeyword(part)
