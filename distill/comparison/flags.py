"""What a cell of a grid tells `distill train` and `distill evaluate`."""

from distill import gin_files, gin_run, quick_checks
from distill.comparison.grid import OPTIMISTIC, Cell, Grid
from distill.data import lookup
from distill.data.methods import METHODS

_MODULE = "MIXTURE_OR_TASK_MODULE"
_COMMANDS = ("train", "evaluate")
# What a cell names only when it runs; a URL is not looked for on the disk.
_LATER = "later://"
_FOLDERS = {
  "train": ["MODEL_DIR"],
  "evaluate": ["CHECKPOINT_PATH", "EVAL_OUTPUT_DIR"],
}


def survey_of(grid: Grid, command: str, file: str) -> gin_files.Survey:
  """Returns the macros of a command with an experiment file."""
  folders = filter(None, grid.flags.gin_search_paths.split(","))
  survey = gin_files.Survey(gin_run.search_path(folders))
  for name in gin_run.files_of(command, [file]):
    survey.add_file(name)
  return survey


def flags_of(
  grid: Grid, cell: Cell, command: str, family: str = ""
) -> list[str]:
  """Returns the flags, but for folders.

  Args:
    grid: The grid.
    cell: Its cell.
    command: 'train' or 'evaluate'.
    family: Whom to test on, by default the cell's own.
  """
  return [
    f"--gin_file={grid.gin_file(cell)}",
    *grid.flags.argv(),
    *(
      f"--gin.{name}={value!r}"
      for name, value in _macros_of(grid, cell, command, family).items()
    ),
  ]


def settings_of(grid: Grid, cell: Cell) -> dict[str, dict[str, str]]:
  """Returns what decides on a cell's result, for each command by name.

  Folders are left out: they may move.
  """
  settings = {}
  for command in _COMMANDS:
    macros = _macros_of(grid, cell, command)
    told = {f"--gin.{name}": repr(value) for name, value in macros.items()}
    settings[command] = {"--gin_file": grid.gin_file(cell), **told}
  if cell.teacher:
    name = f"TEACHERS[{cell.teacher!r}]"
    settings["train"][name] = grid.teachers[cell.teacher]
  settings["evaluate"]["PROTOCOL"] = grid.protocol
  return settings


def modules_of(grid: Grid, cell: Cell) -> list[str]:
  """Returns the modules of one's own that register a cell's families."""
  survey = survey_of(grid, "train", grid.gin_file(cell))
  named = _macros_of(grid, cell, "train").get(_MODULE)
  if named is None and _MODULE in survey.defined:
    named = survey.defined[_MODULE].value
  found = [*grid.flags.module, *quick_checks.foreign_modules(survey)]
  if isinstance(named, str) and named != "tasks":
    found.append(named)
  return list(dict.fromkeys(found))


def modules_of_family(grid: Grid, family: str) -> list[str]:
  """Returns the modules of all cells of a family."""
  found = [
    module
    for cell in _representatives(grid)
    if cell.family == family
    for module in modules_of(grid, cell)
  ]
  return list(dict.fromkeys(found))


def check(grid: Grid) -> None:
  """Checks names, macros and paths of all cells, with no heavy import.

  Raises:
    UserError: A family, a module, a file, a macro or a checkpoint is wrong.
  """
  for family in grid.families:
    lookup.check_family(family, modules_of_family(grid, family))
  for family in grid.transfer_to:
    lookup.check_family(family, grid.flags.module)
  for cell in _representatives(grid):
    for command in _COMMANDS:
      if command == "train" and not METHODS[cell.method].train:
        continue
      folders = [f"--gin.{name}={_LATER}" for name in _FOLDERS[command]]
      told = [*flags_of(grid, cell, command), *folders]
      parsed = gin_run.parse_flags(command, told)
      survey, _ = gin_run.checked(command, parsed)
      quick_checks.check_run(survey)


def _representatives(grid: Grid) -> list[Cell]:
  """Returns a cell of each family, method and model: others are told alike."""
  found: dict[tuple[str, ...], Cell] = {}
  for cell in grid.cells():
    found.setdefault((cell.family, cell.label, cell.model, cell.teacher), cell)
  return list(found.values())


def _macros_of(
  grid: Grid, cell: Cell, command: str, family: str = ""
) -> dict[str, object]:
  """Returns the macros that a command is told.

  A macro that only the other command knows is left out; one that neither
  knows is left in, so that the command refuses it.
  """
  method, file = METHODS[cell.method], grid.gin_file(cell)
  family = family or cell.family
  macros: dict[str, object] = grid.macros_of(cell, family)
  train, evaluate = (survey_of(grid, name, file) for name in _COMMANDS)
  own_module = [*grid.flags.module, "tasks"][0]
  shipped = family in lookup.shipped_families()
  defaults = {_MODULE: own_module, "BEST_METRIC": "accuracy"}
  for name, value in defaults.items():
    given = train.defined[name].value if name in train.defined else None
    # A shipped file names `tasks`, which does not have a family of one's own.
    if given is None or (given == "tasks" and not shipped):
      macros.setdefault(name, value)
  if grid.protocol == OPTIMISTIC:
    macros["KEEP_CHECKPOINTS"] = None
  if command == "train":
    macros |= {"RANDOM_SEED": cell.seed} | _selection(cell)
    own, other = train, evaluate
  else:
    own, other = evaluate, train
  suffix = method.train if command == "train" else method.evaluate
  macros["MIXTURE_OR_TASK_NAME"] = family + suffix
  known = own.defined.keys() | own.read
  foreign = (other.defined.keys() | other.read) - known
  return {name: v for name, v in macros.items() if name not in foreign}


def _selection(cell: Cell) -> dict[str, object]:
  """Returns the macros that choose examples; those of a seed are nested."""
  macros: dict[str, object] = {}
  if isinstance(cell.size, int):
    macros["NUM_TRAIN_EXAMPLES"] = cell.size
  elif cell.size != 1:
    macros["DATA_FRACTION"] = cell.size
  if cell.coverage != 1:
    macros["RATIONALE_COVERAGE"] = cell.coverage
  return macros | ({"DATA_SEED": cell.seed} if macros else {})
