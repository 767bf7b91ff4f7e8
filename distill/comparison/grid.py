"""What a comparison runs: the macros of one gin file, and the cells of them."""

import itertools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from distill import errors, gin_checks, gin_files
from distill.data.methods import METHODS, Method

# The honest protocol, and the papers' optimistic one, which only its name runs.
HONEST, OPTIMISTIC = "best_on_validation", "best_on_test"
_BUILTIN = {"builtin": "cache_rationales --teacher=builtin"}
_KINDS = {Sequence: "a tuple, as in (0, 1)", Mapping: "as in {'name': value}"}


@dataclass(frozen=True)
class Cell:
  """One student: what it learns from, and how.

  Attributes:
    family: The dataset.
    method: A name of `METHODS`.
    model: A name of the grid's models.
    teacher: A name of the grid's teachers, '' for a method without one.
    size: A share of the training examples (float), or how many (int).
    coverage: Share of those that have rationales.
    seed: Of weights, dropout, order, and of which examples are chosen.
    tokens_of: The method whose target tokens this one is trained for, '' to
      train for the given steps.
  """

  family: str
  method: str
  model: str
  teacher: str
  size: float | int
  coverage: float
  seed: int
  tokens_of: str = ""

  @property
  def label(self) -> str:
    """The method's name in tables."""
    return f"{self.method}, equal tokens" if self.tokens_of else self.method

  @property
  def name(self) -> str:
    """A folder's name, another one for each cell of a grid."""
    size = f"n{self.size}" if isinstance(self.size, int) else f"f{self.size:g}"
    label = self.label.replace(", ", "_").replace(" ", "_")
    parts = (self.family, label, self.model, self.teacher, size)
    rest = f"c{self.coverage:g}", f"s{self.seed}"
    return "-".join(filter(None, (*parts, *rest)))


@dataclass(frozen=True, kw_only=True)
class Flags:
  """Flags of `distill compare` that each of its cells is given.

  Attributes:
    module: Python modules that register families.
    gin_search_paths: Folders of gin files, with commas between them.
    tfds_data_dir: Where TensorFlow Datasets keeps its data.
    seqio_additional_cache_dirs: Folders of offline caches, with commas.
  """

  module: Sequence[str] = ()
  gin_search_paths: str = ""
  tfds_data_dir: str = ""
  seqio_additional_cache_dirs: str = ""

  def argv(self) -> list[str]:
    """Returns them as `distill train` and `distill evaluate` take them."""
    given = {f.name: getattr(self, f.name) for f in fields(self)}
    del given["module"]
    return [f"--{name}={value}" for name, value in given.items() if value]


@dataclass(frozen=True, kw_only=True)
class Grid:
  """A comparison; each attribute is a macro of its file, in capitals.

  Attributes:
    name: The file's, without `.gin`. This and `flags` are no macros.
    flags: What the command line gives all cells.
    families: Datasets.
    methods: Names of `METHODS`, the cheapest first.
    models: Name → experiment or model file, where {family} and {method} stand
      for a cell's; several are students of several sizes, the smallest first.
    fractions: Shares of the training examples, nested for a seed.
    counts: Further sizes, in examples.
    coverages: Shares of the examples that keep their rationales, for methods
      that learn labels and rationales apart; the others run at 1.0.
    seeds: Of weights, dropout, order and choice of examples.
    teachers: Name → the commands, with `;` between them, that make its cache
      but for --task, --split and --output_dir; '' takes that in
      DISTILL_DATA_DIR.
    teacher_splits: The splits that these commands are run for; with 'test' the
      teacher's own accuracy is of the students' test split.
    teacher_parameters: Teacher → its parameters, for FLOPs.
    macros: Macros of all cells ('all'), or of those of a model, a family or a
      method; what is named later in this list wins.
    equal_tokens: Method → a method whose target tokens it is given, as one
      more method.
    transfer_to: Families that every student is tested on too, where their
      answers are of the same kind as its own.
    protocol: 'best_on_validation', or the papers' 'best_on_test'.
    cpu_hour_price: US dollars for a CPU core and hour, for costs.
  """

  name: str
  flags: Flags = Flags()
  families: Sequence[str]
  methods: Sequence[str]
  models: Mapping[str, str]
  fractions: Sequence[float] = (1.0,)
  counts: Sequence[int] = ()
  coverages: Sequence[float] = (1.0,)
  seeds: Sequence[int] = (0,)
  teachers: Mapping[str, str] = field(default_factory=lambda: {**_BUILTIN})
  teacher_splits: Sequence[str] = ("train",)
  teacher_parameters: Mapping[str, float] = field(default_factory=dict)
  macros: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
  equal_tokens: Mapping[str, str] = field(default_factory=dict)
  transfer_to: Sequence[str] = ()
  protocol: str = HONEST
  cpu_hour_price: float | None = None

  def __post_init__(self) -> None:
    for name, kind in typing.get_type_hints(Grid).items():
      value, origin = getattr(self, name), typing.get_origin(kind)
      if origin in _KINDS and (
        isinstance(value, str) or not isinstance(value, origin)
      ):
        raise errors.UserError(
          f"The macro {name.upper()} of '{self.name}' cannot be used.",
          expected=_KINDS[origin],
          found=repr(value),
        )
    pairs = list(itertools.chain(*self.equal_tokens.items()))
    _check_names("method", [*self.methods, *pairs], METHODS)
    keys = ["all", *self.models, *self.families, *self.transfer_to, *METHODS]
    _check_names("key of MACROS", self.macros, keys)
    _check_names("PROTOCOL", [self.protocol], [HONEST, OPTIMISTIC])
    _check_names("method of EQUAL_TOKENS", pairs, self.methods)
    if not self.cells():
      raise errors.UserError(
        f"The grid '{self.name}' has no cell.",
        remedy="name at least one family, method, model, size and seed",
      )

  def cells(self) -> list[Cell]:
    """Returns the cells in the order of tables."""
    sizes = [*map(int, self.counts), *map(float, self.fractions)]
    named = [(method, "") for method in self.methods]
    cells = []
    for family, model, (method, tokens_of), size, seed in itertools.product(
      self.families,
      self.models,
      [*named, *self.equal_tokens.items()],
      sizes,
      self.seeds,
    ):
      entry = METHODS[method]
      teachers = list(self.teachers) if entry.needs_teacher else [""]
      coverages = self.coverages if _splits_tasks(entry) else [1.0]
      cells += [
        Cell(family, method, model, *rest, seed, tokens_of)
        for rest in itertools.product(teachers, [size], map(float, coverages))
      ]
    return cells

  def gin_file(self, cell: Cell) -> str:
    """Returns the file of a cell's model."""
    return self.models[cell.model].format(
      family=cell.family, method=cell.method
    )

  def macros_of(self, cell: Cell, family: str = "") -> dict[str, Any]:
    """Returns the macros of a cell, or of its test on another family."""
    found: dict[str, Any] = dict(METHODS[cell.method].macros)
    for key in ("all", cell.model, family or cell.family, cell.method):
      found |= self.macros.get(key, {})
    return found


def read_grid(
  file: str,
  bindings: Sequence[str],
  search_path: Sequence[str],
  flags: Flags | None = None,
) -> Grid:
  """Reads a grid from its gin file and the bindings of a command line.

  Raises:
    UserError: The file is absent, is no grid, or names what there is not.
  """
  survey = gin_files.Survey(search_path)
  survey.add_file(file)
  known = {f.name.upper() for f in fields(Grid)} - {"NAME", "FLAGS"}
  survey.read |= known
  for text in bindings:
    gin_checks.checked_binding(text, survey)
  _check_names("macro of a grid", survey.defined, sorted(known))
  values = {n.lower(): macro.value for n, macro in survey.defined.items()}
  lacking = {"families", "methods", "models"} - values.keys()
  if lacking:
    raise errors.UserError(
      f"{file} is not a whole grid.",
      expected="FAMILIES, METHODS and MODELS (gin_configs/grids has examples)",
      found="no " + ", ".join(sorted(lacking)).upper(),
    )
  name = file.rpartition("/")[2].removesuffix(".gin")
  return Grid(name=name, flags=flags or Flags(), **values)


def _splits_tasks(method: Method) -> bool:
  return "step_by_step" in method.train


def _check_names(what: str, names: Any, known: Any) -> None:
  for name in names:
    if name not in known:
      raise errors.unknown(what, name, known)
