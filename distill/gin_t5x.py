"""T5X's gin files and configurables, and what of this trainer does the same.

The table of both is gin_t5x.toml; docs/t5x.md shows it.
"""

import pathlib
import tomllib
from collections.abc import Sequence

from distill import errors
from distill.gin_files import Binding, Survey, is_of_t5x

_TABLE = tomllib.loads(
  pathlib.Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)
# T5X's macros, modules and gin files → ours.
MACROS: dict[str, str] = _TABLE["macros"]
MODULES: dict[str, str] = _TABLE["modules"]
FILES: dict[str, str] = _TABLE["files"]
# T5X's class or function → its parameter → a macro or a parameter here; ''
# where this trainer has no such setting.
OURS: dict[str, dict[str, str]] = {
  owner: {
    **{name: ours for name, ours in names.items() if name != "same"},
    **{
      name: f"{ours}.{name}"
      for ours, same in names.get("same", {}).items()
      for name in same
    },
  }
  for owner, names in _TABLE["configurables"].items()
}
_MOST = 12
# The modules that only T5X's scripts, as `__main__`, have.
_SCRIPTS = ("__main__", "t5x.train", "t5x.eval", "t5x.infer")


def check_no_t5x(survey: Survey) -> None:
  """Checks that no file configures T5X, which this trainer would not heed.

  Raises:
    UserError: It names each file, line and parameter, and what does the same
      here.
  """
  uses = [(where, name) for name, where in survey.t5x_files.items()]
  used = set()
  for binding in survey.bindings.values():
    module = binding.configurable.module
    name = _spelt(module, binding)
    if _is_module(module) or (
      module == "seqio" and counterpart(name) is not None
    ):
      uses.append((binding.where, name))
      used.add(module)
  for name, macro in survey.defined.items():
    if name in MACROS and name not in survey.read:
      uses.append((macro.where, name))
  uses += [
    (where, module)
    for module, where in survey.imported.items()
    if _is_module(module) and module not in used
  ]
  if uses:
    raise refuse(uses)


def counterpart(name: str) -> str | None:
  """Returns what does the same here: a file, a macro, or a parameter.

  Args:
    name: A file, a module or a macro of T5X's, or a parameter as `OURS`
      spells it.

  Returns:
    '' where this trainer has no such setting; None where T5X has no such name
    or this module does not know it.
  """
  known = FILES | MACROS | MODULES
  owner, _, parameter = name.rpartition(".")
  return known.get(name, OURS.get(owner, {}).get(parameter))


def refuse(uses: Sequence[tuple[str, str]]) -> errors.UserError:
  """Returns the error for gin files that configure T5X.

  Args:
    uses: The places, and what of T5X stands there, as `counterpart` takes it.
  """
  found, remedies = [], []
  for where, name in uses[:_MOST]:
    ours = counterpart(name)
    found.append(f"{where}: {name}")
    if ours is None and not is_of_t5x(name):
      remedies.append(f"leave out {name}, which belongs to T5X alone")
    elif ours is None:
      remedies.append(f"in place of {name}, a file of models/ or experiments/")
    elif not ours:
      remedies.append(f"leave out {name}, which this trainer does not need")
    else:
      remedies.append(f"in place of {name}: {ours}")
  if len(uses) > _MOST:
    found.append(f"and {len(uses) - _MOST} more")
  remedies += [
    "docs/t5x.md has the whole table;",
    "or train on T5X, with `python -m t5x.train` and the same flags",
  ]
  return errors.UserError(
    f"The gin files configure T5X: {uses[0][1]}.",
    expected="files that configure this trainer",
    found="\n    ".join(found),
    remedy="\n    ".join(remedies),
  )


def _is_module(name: str) -> bool:
  """Returns whether a module belongs to T5X or to its scripts."""
  return name == "__main__" or name.partition(".")[0] == "t5x"


def _spelt(module: str, binding: Binding) -> str:
  """Returns a parameter as `OURS` spells it."""
  name = f"{binding.configurable.name}.{binding.parameter}"
  return name if module in _SCRIPTS else f"{module.rpartition('.')[2]}.{name}"
