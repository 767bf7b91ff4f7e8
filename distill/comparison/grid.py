"""A grid of students: the macros of one gin file."""

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from distill import errors, gin_checks, gin_files
from distill.comparison.results import BUDGETS
from distill.data.methods import METHODS

# Which split chooses the checkpoint that is tested. The papers' code takes the
# test split, which overestimates the accuracy.
HONEST, OPTIMISTIC = "best_on_validation", "best_on_test"
_BUILTIN = {"builtin": "cache_rationales --teacher=builtin"}
_XLA_KEYS = {"flags", "seeds"}
_KINDS = {Sequence: "a tuple, as in (0, 1)", Mapping: "as in {'name': value}"}


@dataclass(frozen=True, kw_only=True)
class Flags:
  """The flags of `distill compare` that it passes on to each cell.

  The descriptions are the help texts.

  Attributes:
    module: a Python module that registers your families; may be repeated
    gin_search_paths: additional folders with gin files, separated by commas
    tfds_data_dir: folder of TensorFlow Datasets; overrides that of the tasks
    seqio_additional_cache_dirs: folders that seqio_cache_tasks wrote, separated
      by commas
  """

  module: tuple[str, ...] = ()
  gin_search_paths: str = ""
  tfds_data_dir: str = ""
  seqio_additional_cache_dirs: str = ""

  def argv(self) -> list[str]:
    """Returns the flags for `distill train` and `distill evaluate`."""
    given = {f.name: getattr(self, f.name) for f in fields(self)}
    del given["module"]
    return [f"--{name}={value}" for name, value in given.items() if value]


@dataclass(frozen=True, kw_only=True)
class Grid:
  """A comparison; each attribute is a macro of its file, in capitals.

  Attributes:
    name: The name of the file without `.gin`; not a macro.
    flags: Flags of the command line for all cells; not a macro.
    families: Names of the datasets.
    methods: Names of `METHODS`, the cheapest first.
    models: Name → experiment or model file, in which {family} and {method}
      stand for those of the cell. The smallest of several sizes is first.
    fractions: Shares of the training examples. The subsets of a seed are
      nested.
    counts: Further sizes, in examples.
    coverages: Shares of the examples that keep their rationales, for methods
      with label and rationale as two tasks; the others run at 1.0.
    seeds: Seeds of the weights, the dropout, the order and the subset.
    teachers: Name → the commands, separated by `;`, that make its cache,
      without --task, --split and --output_dir. '' takes the cache in
      DISTILL_DATA_DIR.
    teacher_splits: The splits that these commands run for. With 'test', the
      teacher's accuracy is that on the students' test split.
    teacher_parameters: Teacher → the number of its parameters, for FLOPs.
    macros: 'all', or the name of a model, family or method → gin macros. What
      is later in this list overrides what is earlier.
    equal_label_rows: Method → the method whose number of training rows with a
      label it is also trained for, as one more student. It needs PACK = False.
    equal_tokens: The same with the number of target tokens.
    equal_flops: The same with the FLOPs of training.
    other_xla: {'flags': XLA_FLAGS, 'seeds': (0, 1), 'sizes': (125,)}: repeats
      the students of these seeds and sizes (default: all) with other XLA
      settings, which stand for another processor.
    transfer_to: Families on which every student is also tested, if their
      answers are of the same kind as its own.
    protocol: 'best_on_validation', or the papers' 'best_on_test'.
    cpu_hour_price: The price of an hour of a CPU core in US dollars.
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
  equal_label_rows: Mapping[str, str] = field(default_factory=dict)
  equal_tokens: Mapping[str, str] = field(default_factory=dict)
  equal_flops: Mapping[str, str] = field(default_factory=dict)
  other_xla: Mapping[str, Any] = field(default_factory=dict)
  transfer_to: Sequence[str] = ()
  protocol: str = HONEST
  cpu_hour_price: float | None = None

  def __post_init__(self) -> None:
    for name, kind in typing.get_type_hints(Grid).items():
      value, origin = getattr(self, name), typing.get_origin(kind)
      if origin in _KINDS:
        ok = isinstance(value, origin) and not isinstance(value, str)
        errors.require(name.upper(), value, ok, _KINDS[origin])
    _check_names("method", self.methods, METHODS)
    keys = ["all", *self.models, *self.families, *self.transfer_to, *METHODS]
    _check_names("key of MACROS", self.macros, keys)
    _check_names("PROTOCOL", [self.protocol], [HONEST, OPTIMISTIC])
    for comparison, method, of in self.budgets:
      what = f"method of {comparison.upper()}"
      _check_names(what, [method, of], self.methods)
    given = self.other_xla.keys()
    whole = _XLA_KEYS <= given <= {*_XLA_KEYS, "sizes"}
    expected = "{'flags': '--xla_…', 'seeds': (0, 1)}, and perhaps 'sizes'"
    errors.require("OTHER_XLA", self.other_xla, whole or not given, expected)

  @property
  def budgets(self) -> list[tuple[str, str, str]]:
    """Each comparison at an equal budget, a method, and whose budget it has."""
    return [
      (comparison, *pair)
      for comparison in BUDGETS
      for pair in getattr(self, comparison).items()
    ]


def read_grid(
  file: str,
  bindings: Sequence[str],
  search_path: Sequence[str],
  flags: Flags | None = None,
) -> Grid:
  """Reads a grid from its gin file and the bindings of a command line.

  Raises:
    UserError: The file is missing or is not a grid, or a name in it is unknown.
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


def _check_names(what: str, names: Any, known: Any) -> None:
  for name in names:
    if name not in known:
      raise errors.unknown(what, name, known)
