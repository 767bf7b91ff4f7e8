"""Writes the pages of docs/ that list what gin configures.

docs/macros.md, docs/configurables.md, and the table of docs/t5x.md.
"""

import dataclasses
import importlib
import inspect
import pathlib
import re
from collections.abc import Iterable, Sequence

from distill import gin_files, gin_run, gin_t5x

DOCS = pathlib.Path(__file__).parents[1] / "docs"
_MACROS = """\
# Gin macros

`python scripts/gin_reference.py` writes this page from the files of
`gin_configs/macros`; a test fails if they differ. Set a macro by
`--gin.NAME=value` on the command line or by `NAME = value` in a gin file. The
same macros configure this project's trainer and [T5X](t5x.md). `--help` with a
`--gin_file` lists the macros of one experiment; `--print_config` prints the
values of a whole command line. The files of `models/` also set `MODEL`, and
`OPTIMIZER`, which is `@adafactor()` or `@adamw()`. Parameters that no macro
sets are on [another page](configurables.md).
"""
_CONFIGURABLES = """\
# Gin configurables

`python scripts/gin_reference.py` writes this page from the gin files of this
project's trainer and from the code; a test fails if they differ. It lists the
functions and classes that those files configure. Set a [macro](macros.md) where
there is one. Bind any other parameter on the command line, as in
`--gin_bindings=optimizers.adafactor.epsilon1=1e-20`, or in a gin file that
imports the module. The last column has what the gin files bind.
"""
# Parameters that Flax gives to every module.
_OF_FLAX = ("parent", "name")


def pages() -> dict[str, str]:
  """Returns the name of each page in docs/ and its text."""
  t5x = (DOCS / "t5x.md").read_text()
  table = re.compile(r"^\| T5X \| here \|\n(?:\|.*\n)+", re.MULTILINE)
  return {
    "macros.md": "\n".join([_MACROS, *_macros()]),
    "configurables.md": "\n".join([_CONFIGURABLES, *_configurables()]),
    "t5x.md": table.sub(lambda _: "\n".join(_t5x_table()) + "\n", t5x),
  }


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
  lines = [columns, ["---"] * len(columns), *rows]
  return [f"| {' | '.join(cells)} |" for cells in lines]


def _survey(*names: str) -> gin_files.Survey:
  survey = gin_files.Survey(gin_run.search_path())
  for name in names:
    survey.add_file(name)
  return survey


def _macros() -> Iterable[str]:
  """Yields a section for each file of gin_configs/macros."""
  for path in sorted((gin_run.GIN_CONFIGS / "macros").glob("*.gin")):
    name = f"macros/{path.name}"
    title = path.read_text().splitlines()[0].removeprefix("# ")
    title = title.removesuffix(".").removesuffix(", for both engines")
    yield f"## {title}\n\n`gin_configs/{name}`\n"
    yield from _table(
      ("macro", "default", "meaning"),
      (
        (
          f"`{macro}`",
          "required" if found.required else f"`{found.value!r}`",
          found.comment,
        )
        for macro, found in _survey(name).defined.items()
        # Included files have sections of their own.
        if found.where.startswith(f"{path},")
      ),
    )
    yield ""


def _configurables() -> Iterable[str]:
  """Yields a section for each function and class of this project."""
  models = ("models/t5_1_1.gin", "models/byt5.gin", "models/adamw.gin")
  survey = _survey(*gin_run.RUN_FILES.values(), *models)
  bound: dict[str, dict[str, str]] = {}
  for binding in survey.bindings.values():
    names = bound.setdefault(binding.configurable.full, {})
    value = f"`{binding.value!r}`"
    before = names.get(binding.parameter, "")
    if value not in before:
      names[binding.parameter] = before + (before and " or ") + value
  own = {
    found.full: found
    for found in survey.configurables.values()
    if found.module.startswith("distill.")
  }
  for full, found in sorted(own.items()):
    function = getattr(importlib.import_module(found.module), found.name)
    summary = (inspect.getdoc(function) or "").partition("\n\n")[0]
    module = found.module.rpartition(".")[2]
    yield f"## {module}.{found.name}\n\n`{found.module}`: {summary}\n"
    values = bound.get(full, {})
    parameters = {
      name: parameter
      for name, parameter in inspect.signature(function).parameters.items()
      if name not in _OF_FLAX and parameter.kind != parameter.VAR_KEYWORD
    }
    yield from _table(
      ("parameter", "default", "bound to"),
      (
        (f"`{name}`", _default(parameters.get(name)), values.get(name, ""))
        for name in dict.fromkeys([*parameters, *values])
      ),
    )
    yield ""


def _default(parameter: inspect.Parameter | None) -> str:
  """Returns a default as it stands in code, or '…' if that is long.

  Args:
    parameter: None for one of the keyword arguments that may have any name.
  """
  if parameter is None:
    return ""
  value = parameter.default
  if value is parameter.empty:
    return "required"
  text = repr(value)
  if dataclasses.is_dataclass(value):
    text = f"{type(value).__name__}()"
  return "…" if len(text) > 50 or text.startswith("<") else f"`{text}`"


def _t5x_table() -> list[str]:
  """Returns the table of T5X's names and ours."""
  rows = []
  for owner, names in (
    *gin_t5x.OURS.items(),
    ("macros", gin_t5x.MACROS),
    ("modules", gin_t5x.MODULES),
    ("files", gin_t5x.FILES),
  ):
    same = [name for name, ours in names.items() if ours.endswith(f".{name}")]
    told = [
      f"`{name}`: {f'`{ours}`' if ours else 'leave out'}"
      for name, ours in names.items()
      if name not in same
    ]
    if same:
      prefix = names[same[0]].rpartition(".")[0]
      told.append(f"of `{prefix}`, by the same name: {', '.join(same)}")
    title = f"`{owner}`" if owner in gin_t5x.OURS else owner
    rows.append((title, "; ".join(told)))
  return _table(("T5X", "here"), rows)


if __name__ == "__main__":
  for page, text in pages().items():
    (DOCS / page).write_text(text)
