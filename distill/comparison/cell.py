"""A cell of a grid: one student, the flags of its commands, its settings."""

import dataclasses
import functools
import itertools
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill import console, errors, gin_files, gin_run, quick_checks
from distill.comparison import results
from distill.comparison.grid import OPTIMISTIC, Grid
from distill.data import lookup
from distill.data.methods import METHODS

# In the folder of a cell that failed: the message of its error.
FAILED = "failed.txt"
_COMMANDS = ("train", "evaluate")
_MODULE = "MIXTURE_OR_TASK_MODULE"
# A path that a cell names only when it runs; no URL is looked up on the disk.
_LATER = "later://"
_FOLDERS = {
  "train": ["MODEL_DIR"],
  "evaluate": ["CHECKPOINT_PATH", "EVAL_OUTPUT_DIR"],
}
Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Cell:
  """One student: what it learns from, and how.

  Attributes:
    grid: The grid.
    folder: The folder of the results of the grid.
    family: The name of the dataset.
    method: A name of `METHODS`.
    model: A name of the grid's models.
    teacher: A name of the grid's teachers; '' for a method without one.
    size: A share of the training examples (float), or their number (int).
    coverage: The share of these examples that have rationales.
    seed: The seed of the weights, the dropout, the order and the subset.
    comparison: The comparison that it is for, see `results.Result`.
    budget_of: The method whose budget it has; '' for the number of steps of the
      gin files.
    xla: XLA_FLAGS beside those of the environment, for OTHER_XLA.
  """

  grid: Grid = field(compare=False, repr=False)
  folder: pathlib.Path = field(compare=False, repr=False)
  family: str
  method: str
  model: str
  teacher: str
  size: float | int
  coverage: float
  seed: int
  comparison: str = results.EQUAL_EXAMPLES
  budget_of: str = ""
  xla: str = ""

  @property
  def label(self) -> str:
    """The method, and its comparison if that is not of equal examples."""
    return results.label_of(self.method, self.comparison)

  @property
  def name(self) -> str:
    """The name of its folder, which no other cell of the grid has."""
    size = f"n{self.size}" if isinstance(self.size, int) else f"f{self.size:g}"
    label = self.label.replace(", ", "_").replace(" ", "_")
    parts = (self.family, label, self.model, self.teacher, size)
    rest = f"c{self.coverage:g}", f"s{self.seed}", self.xla and "xla"
    return "-".join(filter(None, (*parts, *rest)))

  @property
  def columns(self) -> dict[str, Any]:
    """The fields of its `Result` that are known before it is trained."""
    return {
      "task": self.family,
      "method": self.method,
      "comparison": self.comparison,
      "budget_of": self.budget_of,
      "model": self.model,
      "teacher": self.teacher,
      "coverage": self.coverage,
      "seed": self.seed,
    }

  @property
  def home(self) -> pathlib.Path:
    """The folder of its log, checkpoints, predictions and rows."""
    return self.folder / "cells" / self.name

  @property
  def is_trained(self) -> bool:
    """Whether its method trains, and does not only test a checkpoint."""
    return bool(METHODS[self.method].train)

  def rows(self) -> list[results.Result]:
    """Returns its rows; [] if it is not finished."""
    path = self.home / "rows.json"
    if not path.exists():
      return []
    return [results.read_row(row) for row in json.loads(path.read_text())]

  def survey(self, command: str) -> gin_files.Survey:
    """Returns the macros in the gin files of a command with its model."""
    return _survey(self.grid.flags.gin_search_paths, command, self._gin_file)

  def flags(self, command: str, family: str = "") -> list[str]:
    """Returns the flags of a command, without those that name folders.

    Args:
      command: 'train' or 'evaluate'.
      family: The family to test on; '' for the cell's own.
    """
    macros = self._command_macros(command, family or self.family)
    return [
      f"--gin_file={self._gin_file}",
      *self.grid.flags.argv(),
      *(f"--gin.{name}={value!r}" for name, value in macros.items()),
    ]

  def settings(self) -> dict[str, dict[str, str]]:
    """Returns what determines its result, for each command by name.

    Folders are not settings: they may move.
    """
    found: dict[str, dict[str, str]] = {}
    for command in _COMMANDS:
      macros = self._command_macros(command, self.family)
      flags = {f"--gin.{name}": repr(value) for name, value in macros.items()}
      found[command] = {"--gin_file": self._gin_file, **flags}
    if self.teacher:
      name = f"TEACHERS[{self.teacher!r}]"
      found["train"][name] = self.grid.teachers[self.teacher]
    if self.xla:
      found["train"]["XLA_FLAGS"] = self.xla
    found["evaluate"]["PROTOCOL"] = self.grid.protocol
    return found

  def modules(self) -> list[str]:
    """Returns the user's modules that register its families."""
    survey = self.survey("train")
    named = self._command_macros("train", self.family).get(_MODULE)
    if named is None and _MODULE in survey.defined:
      named = survey.defined[_MODULE].value
    found = [*self.grid.flags.module, *quick_checks.foreign_modules(survey)]
    if isinstance(named, str) and named != "tasks":
      found.append(named)
    return list(dict.fromkeys(found))

  def macros(self, family: str = "") -> dict[str, object]:
    """Returns the macros of its method and of MACROS.

    Args:
      family: The family to test on; '' for the cell's own.
    """
    found = dict(METHODS[self.method].macros)
    for key in ("all", self.model, family or self.family, self.method):
      found |= self.grid.macros.get(key, {})
    return found

  @property
  def _gin_file(self) -> str:
    return self.grid.models[self.model].format(
      family=self.family, method=self.method
    )

  def _command_macros(self, command: str, family: str) -> dict[str, object]:
    """Returns the macros that a command gets.

    A macro that only the other command knows is left out. One that neither
    knows is kept, so that the command reports it.
    """
    method = METHODS[self.method]
    macros = self.macros(family)
    train, evaluate = map(self.survey, _COMMANDS)
    own_module = [*self.grid.flags.module, "tasks"][0]
    shipped = family in lookup.shipped_families()
    defaults = {_MODULE: own_module, "BEST_METRIC": "accuracy"}
    for name, value in defaults.items():
      given = train.defined[name].value if name in train.defined else None
      # A shipped file names `tasks`, which does not have the user's family.
      if given is None or (given == "tasks" and not shipped):
        macros.setdefault(name, value)
    if self.grid.protocol == OPTIMISTIC:
      macros["KEEP_CHECKPOINTS"] = None
    if command == "train":
      macros |= {"RANDOM_SEED": self.seed} | self._subset()
      own, other, suffix = train, evaluate, method.train
    else:
      own, other, suffix = evaluate, train, method.evaluate
    macros["MIXTURE_OR_TASK_NAME"] = family + suffix
    known = own.defined.keys() | own.read
    foreign = (other.defined.keys() | other.read) - known
    return {name: v for name, v in macros.items() if name not in foreign}

  def _subset(self) -> dict[str, object]:
    """Returns the macros that select examples; a seed's subsets are nested."""
    macros: dict[str, object] = {}
    if isinstance(self.size, int):
      macros["NUM_TRAIN_EXAMPLES"] = self.size
    elif self.size != 1:
      macros["DATA_FRACTION"] = self.size
    if self.coverage != 1:
      macros["RATIONALE_COVERAGE"] = self.coverage
    return macros | ({"DATA_SEED": self.seed} if macros else {})


@functools.cache
def _survey(search_paths: str, command: str, file: str) -> gin_files.Survey:
  """Reads the gin files of a command once for all cells."""
  folders = filter(None, search_paths.split(","))
  survey = gin_files.Survey(gin_run.search_path(folders))
  for name in gin_run.files_of(command, [file]):
    survey.add_file(name)
  return survey


def cells_of(grid: Grid, folder: pathlib.Path) -> list[Cell]:
  """Returns the cells of a grid in the order of tables.

  Args:
    grid: The grid.
    folder: The folder of its results.

  Raises:
    UserError: The grid has no cell.
  """
  sizes = [*map(int, grid.counts), *map(float, grid.fractions)]
  named = [(results.EQUAL_EXAMPLES, name, "") for name in grid.methods]
  named += grid.budgets
  cells: list[Cell] = []
  for family, model, student, size, seed in itertools.product(
    grid.families, grid.models, named, sizes, grid.seeds
  ):
    comparison, name, budget_of = student
    method = METHODS[name]
    teachers = list(grid.teachers) if method.needs_teacher else [""]
    # Only these methods have the label and the rationale as two tasks.
    has_tasks = "step_by_step" in method.train
    coverages = map(float, grid.coverages if has_tasks else [1.0])
    cells += [
      Cell(
        grid=grid,
        folder=folder,
        family=family,
        method=name,
        model=model,
        teacher=teacher,
        size=size,
        coverage=coverage,
        seed=seed,
        comparison=comparison,
        budget_of=budget_of,
      )
      for teacher, coverage in itertools.product(teachers, coverages)
    ]
  cells += [twin for cell in cells if (twin := other_xla(cell))]
  if not cells:
    raise errors.UserError(
      f"The grid '{grid.name}' has no cell.",
      remedy="name at least one family, method, model, size and seed",
    )
  return cells


def other_xla(cell: Cell) -> Cell | None:
  """Returns the same cell with the settings of OTHER_XLA, if that asks so."""
  asked = cell.grid.other_xla
  if not asked or cell.xla or cell.seed not in asked["seeds"]:
    return None
  if "sizes" in asked and cell.size not in asked["sizes"]:
    return None
  return dataclasses.replace(cell, xla=asked["flags"])


def modules_of_family(cells: Iterable[Cell], family: str) -> list[str]:
  """Returns the user's modules of all cells of a family."""
  found = [
    module
    for cell in _representatives(cells)
    if cell.family == family
    for module in cell.modules()
  ]
  return list(dict.fromkeys(found))


def check_cells(cells: Sequence[Cell]) -> None:
  """Checks names, macros and paths of all cells, with no heavy import.

  Raises:
    UserError: A family, a module, a file, a macro or a checkpoint is wrong.
  """
  grid = cells[0].grid
  for family in grid.families:
    lookup.check_family(family, modules_of_family(cells, family))
  for family in grid.transfer_to:
    lookup.check_family(family, grid.flags.module)
  for cell in _representatives(cells):
    for command in _COMMANDS:
      if command == "train" and not cell.is_trained:
        continue
      folders = [f"--gin.{name}={_LATER}" for name in _FOLDERS[command]]
      flags = gin_run.parse_flags(command, [*cell.flags(command), *folders])
      survey, _ = gin_run.checked(command, flags)
      quick_checks.check_run(survey)


def _representatives(cells: Iterable[Cell]) -> list[Cell]:
  """Returns one cell for all that have the same gin files and macros' names."""
  found: dict[tuple[str, ...], Cell] = {}
  for cell in cells:
    found.setdefault((cell.family, cell.label, cell.model, cell.teacher), cell)
  return list(found.values())


def keep_settings(cell: Cell) -> None:
  """Writes a cell's settings, if what it has was made with the same.

  What a failed cell made with other settings is moved to `set_aside/`.

  Raises:
    UserError: The cell was finished or stopped with other settings.
  """
  path = cell.home / "settings.json"
  now = cell.settings()
  if path.exists():
    before = _read_settings(path)
    if before == now:
      return
    # A cell that was stopped has checkpoints, and did not fail.
    stopped = any(cell.home.glob("model/checkpoint_*"))
    stopped = stopped and not (cell.home / FAILED).exists()
    if (cell.home / "rows.json").exists() or stopped:
      raise _other_settings(cell.home, before, now)
    if before.get("train") != now["train"]:
      if any(made != path for made in cell.home.iterdir()):
        _set_aside(cell.home, cell.folder)
    elif (cell.home / "test").exists():
      _set_aside(cell.home / "test", cell.folder)
  cell.home.mkdir(parents=True, exist_ok=True)
  results.write_json(now, path)


def _read_settings(path: pathlib.Path) -> Settings:
  """Returns the settings; those of an earlier form are all in 'train'."""
  content = json.loads(path.read_text())
  if isinstance(content, list):
    pairs = (text.partition("=") for text in content)
    return {"train": {name: value for name, _, value in pairs}}
  return content


def _other_settings(
  home: pathlib.Path, before: Settings, now: Settings
) -> errors.UserError:
  """Returns the error that names each setting that differs."""
  expected: list[str] = []
  found: list[str] = []
  for command in sorted(before.keys() | now.keys()):
    old, new = before.get(command, {}), now.get(command, {})
    for name in sorted(old.keys() | new.keys()):
      if old.get(name) != new.get(name):
        expected.append(f"{name}={new[name]}" if name in new else f"no {name}")
        found.append(f"{name}={old[name]}" if name in old else f"no {name}")
  return errors.UserError(
    f"{home} was made with other settings.",
    expected="; ".join(dict.fromkeys(expected)),
    found="; ".join(dict.fromkeys(found)),
    remedy="give another --output_dir, or the settings that were found",
  )


def _set_aside(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Moves a file or folder of a cell to a new name in `set_aside/`."""
  name = "-".join(path.relative_to(folder / "cells").parts)
  (folder / "set_aside").mkdir(exist_ok=True)
  taken = {other.name for other in (folder / "set_aside").iterdir()}
  number = next(n for n in range(len(taken) + 1) if f"{name}-{n}" not in taken)
  new = path.rename(folder / "set_aside" / f"{name}-{number}")
  console.say(f"{path.name} failed with other settings: moved to {new}")
