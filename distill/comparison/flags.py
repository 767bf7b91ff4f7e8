"""What a cell of a grid tells `distill train` and `distill evaluate`."""

from distill import gin_flags, gin_survey
from distill.comparison.grid import OPTIMISTIC, Cell, Grid
from distill.data.methods import METHODS

# What a cell is told where neither its file nor the grid says it.
_DEFAULTS = {"MIXTURE_OR_TASK_MODULE": "tasks", "BEST_METRIC": "accuracy"}


def survey_of(command: str, file: str) -> gin_survey.Survey:
  """Returns the macros of a command with an experiment file."""
  survey = gin_survey.Survey(gin_flags.search_path())
  for name in gin_flags.gin_files(command, [file]):
    survey.add_file(name)
  return survey


def flags_of(
  grid: Grid, cell: Cell, command: str, family: str = ""
) -> list[str]:
  """Returns the flags, but for folders.

  A macro that only the other command knows is left out; one that neither
  knows is left in, so that the command refuses it.

  Args:
    grid: The grid.
    cell: Its cell.
    command: 'train' or 'evaluate'.
    family: Whom to test on, by default the cell's own.
  """
  method, file = METHODS[cell.method], grid.gin_file(cell)
  family = family or cell.family
  macros = grid.macros_of(cell, family)
  train, evaluate = survey_of("train", file), survey_of("evaluate", file)
  for name, value in _DEFAULTS.items():
    if name not in train.defined or train.defined[name].value is None:
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
  return [
    f"--gin_file={file}",
    *(
      f"--gin.{name}={value!r}"
      for name, value in macros.items()
      if name not in foreign
    ),
  ]


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
