"""Commands that gin configures: their flags, gin's configuration, the call.

A run is its run file (`runs/*.gin`), then the files of `--gin_file`, then the
bindings of the command line. What comes later wins. Everything that the text
alone can tell is checked before JAX or TensorFlow is imported.
"""

import argparse
import contextlib
import dataclasses
import importlib
import inspect
import os
import pathlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gin

import distill
from distill import (
  compilation_cache,
  console,
  errors,
  flags,
  gin_checks,
  gin_files,
  gin_t5x,
  multihost,
  quick_checks,
)

# Each command's own half of the configuration.
RUN_FILES = {
  "train": "runs/finetune.gin",
  "evaluate": "runs/evaluate.gin",
  "infer": "runs/infer.gin",
}
# What --interactive stands for: it writes no file.
_INTERACTIVE = ("infer.interactive=True", "INFER_OUTPUT_DIR=''")
# Beside the package, in a clone and in a wheel alike.
GIN_CONFIGS = pathlib.Path(distill.__file__).parent.parent / "gin_configs"


@dataclasses.dataclass(frozen=True)
class RunFlags:
  """The flags of a command that gin configures.

  Attributes:
    help: Show flags and macros.
    print_config: Print the resolved configuration, as one gin file, and exit.
    gin_file: Gin file, absolute or on the search path; repeatable, in order.
    gin_bindings: Any gin binding, such as train.eval_period=50; repeatable.
      `--gin.NAME=VALUE` is short for it.
    gin_search_paths: Comma list of more folders that hold gin files.
    tfds_data_dir: Where TensorFlow Datasets keeps its data, whatever tasks say.
    seqio_additional_cache_dirs: Comma list of folders that seqio_cache_tasks
      wrote.
    coordinator_address: Several hosts: where process 0 listens, as HOST:PORT.
    process_count: Several hosts: how many.
    process_index: Several hosts: which one.
    interactive: Answer typed inputs with label and rationale; writes no file.
    against: EVAL_OUTPUT_DIR of another evaluation: prints the paired difference
      and the examples on which both differ.
  """

  help: bool = False
  print_config: bool = False
  gin_file: tuple[str, ...] = ()
  gin_bindings: tuple[str, ...] = ()
  gin_search_paths: str = ""
  tfds_data_dir: str | None = None
  seqio_additional_cache_dirs: str = ""
  coordinator_address: str | None = None
  process_count: int | None = None
  process_index: int | None = None
  interactive: bool = False
  against: str = ""

  @property
  def search_path(self) -> list[str]:
    """The folders in which gin files are looked for, in order."""
    return search_path(filter(None, self.gin_search_paths.split(",")))


def _flag_names(command: str) -> dict[str, str]:
  """Returns field → flag where they differ."""
  own = {"infer": "interactive", "evaluate": "against"}
  return {name: "" for name in own.values() if name != own.get(command)}


def _parser(command: str) -> flags.Parser:
  parser = flags.Parser(
    f"distill {command}",
    usage="%(prog)s --gin_file=experiments/X.gin --gin.NAME=VALUE …",
    add_help=False,
  )
  add = parser.add_argument
  flags.add_fields(add, RunFlags, _flag_names(command))
  add("-h", dest="help", action="store_true", help=argparse.SUPPRESS)
  add("--gin.NAME", metavar="VALUE", help="value of the macro NAME")
  return parser


def parse_flags(
  command: str, argv: Sequence[str], allow_unknown: bool = False
) -> RunFlags:
  """Parses a command line.

  Args:
    command: Whose flags.
    argv: The command line.
    allow_unknown: Passes over flags that this trainer does not have.

  Returns:
    The flags. Each `--gin.NAME=VALUE` is one of `gin_bindings`, in its place.

  Raises:
    UserError: A flag is unknown or lacks its value.
  """
  parser = _parser(command)
  rewritten = []
  arguments = iter(argv)
  for argument in arguments:
    if argument.startswith("--gin."):
      binding = argument.removeprefix("--gin.")
      if "=" not in binding:
        binding = f"{binding}={_value(argument, next(arguments, None))}"
      argument = f"--gin_bindings={binding}"
    rewritten.append(argument)
  if allow_unknown:
    values, _ = parser.parse_known_args(rewritten)
  else:
    values = parser.parse(rewritten)
  errors.require("--gin_file", "", "" not in values.gin_file, "a file")
  if getattr(values, "interactive", False):
    values.gin_bindings += _INTERACTIVE
  if folder := getattr(values, "against", ""):
    values.gin_bindings += (f"evaluate.against={folder!r}",)
  return flags.from_flags(values, RunFlags, _flag_names(command))


def _value(flag: str, value: str | None) -> str:
  """Returns the value that follows a flag; UserError where none does."""
  if value is None or value.startswith("--"):
    raise errors.UserError(
      f"{flag} has no value.",
      expected=f"{flag}=VALUE",
      found=value or "the end of the command line",
      remedy="set the shell variable that stands there, or quote text twice: "
      f"{flag}=\"'text'\"",
    )
  return value


def search_path(folders: Iterable[str] = ()) -> list[str]:
  """Returns the folders in which gin files are looked for, in order.

  This trainer's half stands first, so that what binds an engine never comes
  from the T5X half; a user's folders stand before the shipped experiments.
  """
  return [str(GIN_CONFIGS / "native"), *folders, "", str(GIN_CONFIGS)]


def files_of(command: str, named: Sequence[str]) -> list[str]:
  """Returns the files to load: a run file first, then the others as given.

  The command's own run file is taken unless one is named, in any place.
  """
  # A path that starts with a dot means the working directory and no other.
  files = [os.path.abspath(f) if f.startswith(".") else f for f in named]
  runs = [f for f in files if pathlib.PurePath(f).parent.name == "runs"]
  others = [f for f in files if f not in runs]
  return [*(runs or [RUN_FILES[command]]), *others]


def help_text(command: str, survey: gin_files.Survey) -> str:
  """Returns the flags, and the macros with their values and meanings."""
  rows = [
    (name, "(required)" if macro.required else repr(macro.value), macro.comment)
    for name, macro in sorted(survey.defined.items())
  ]
  rows += [
    (name, "(required)", "given by a file of models/ or experiments/")
    for name in sorted(survey.read - survey.defined.keys())
  ]
  rows.sort(key=lambda row: row[1] != "(required)")
  lines = [f"  {name:<25} {value:<12} {text}" for name, value, text in rows]
  return "\n".join(
    [_parser(command).format_help(), "macros of the loaded files:", *lines]
  )


def use_data_folders(tfds_data_dir: str | None, cache_dirs: str) -> None:
  """Tells SeqIO where datasets and offline caches lie, as T5X's flags do."""
  import seqio

  if tfds_data_dir:
    seqio.set_tfds_data_dir_override(tfds_data_dir)
  seqio.add_global_cache_dirs([f for f in cache_dirs.split(",") if f])


def survey_of(command: str, given: RunFlags) -> gin_files.Survey:
  """Returns what the gin files of a command line define and read.

  Raises:
    UserError: A file is missing or is not gin.
  """
  survey = gin_files.Survey(given.search_path)
  for file in files_of(command, given.gin_file):
    survey.add_file(file)
  return survey


def checked(
  command: str, given: RunFlags
) -> tuple[gin_files.Survey, list[str]]:
  """Checks all that the text of gin files and bindings can tell.

  Returns:
    The survey of both, and the bindings as gin text.

  Raises:
    UserError: A gin file or a binding is wrong, or a macro has no value.
  """
  survey = survey_of(command, given)
  gin_t5x.check_no_t5x(survey)
  bindings = [
    gin_checks.checked_binding(text, survey) for text in given.gin_bindings
  ]
  gin_checks.check_complete(survey)
  gin_checks.check_values(survey)
  return survey, bindings


def configure(command: str, argv: Sequence[str]) -> Callable[..., Any] | None:
  """Parses flags and gin for `distill.<command>.<command>`.

  Returns:
    That function, to which gin has bound its parameters; None for `--help` and
    `--print_config`, which are printed before JAX is imported.

  Raises:
    UserError: The command line or a gin file is wrong.
  """
  given = parse_flags(command, argv)
  if given.help:
    print(help_text(command, survey_of(command, given)))
    return None
  console.say("checking flags, gin files and paths")
  survey, bindings = checked(command, given)
  module = f"distill.{command}"
  bound = {b.configurable.module for b in survey.bindings.values()}
  if module not in bound:
    raise _unbound(f"{module}.{command}")
  if given.print_config:
    print(gin_files.config_text(survey))
    return None
  quick_checks.check_run(survey)
  multihost.join(
    given.coordinator_address, given.process_count, given.process_index
  )
  console.import_tensorflow("JAX")
  use_data_folders(given.tfds_data_dir, given.seqio_additional_cache_dirs)
  script = importlib.import_module(module)
  load(files_of(command, given.gin_file), bindings, given.search_path)
  if compilation_cache.__name__ in bound:
    call(compilation_cache.use)
  return getattr(script, command)


def run(command: str, argv: Sequence[str]) -> Any:
  """Parses flags and gin, then calls `distill.<command>.<command>`.

  Returns:
    What the function returns; None for `--help` and `--print_config`.

  Raises:
    UserError: The command line or a gin file is wrong.
  """
  # Until training has something to save, signals end the process at once.
  with console.watch_signals(console.end_process):
    function = configure(command, argv)
    return call(function) if function else None


def load(
  files: Sequence[str], bindings: Sequence[str], search_path: Sequence[str]
) -> None:
  """Replaces gin's configuration by these files and bindings, and locks it.

  Raises:
    UserError: A file names a function, a parameter or a module that does not
      exist, or is not valid gin.
  """
  gin.clear_config()
  # gin's own functions only append: the working directory would come first,
  # and a folder `models` there would be taken for a package with gin files.
  gin.config._LOCATION_PREFIXES[:] = search_path
  gin.config._FILE_READERS[:] = [(open, os.path.isfile)]
  with _user_errors():
    for file in files:
      gin.parse_config_file(file)
    gin.parse_config(bindings)
    gin.finalize()


def call(function: Callable[..., Any]) -> Any:
  """Calls a function with the parameters that gin has for it.

  Raises:
    UserError: Gin has no value for a parameter, or what the function raised,
      without the lines that gin appends to it.
  """
  bound = gin.get_bindings(function, resolve_references=False)
  lacking = [
    name
    for name, parameter in inspect.signature(function).parameters.items()
    if parameter.default is parameter.empty and name not in bound
  ]
  if lacking:
    name = f"{function.__module__}.{function.__name__}"
    raise _unbound(f"{', '.join(lacking)} of {name}")
  with _user_errors():
    return gin.get_configurable(function)()


def _unbound(what: str) -> errors.UserError:
  return errors.UserError(
    f"The gin files bind nothing to {what}.",
    remedy="name the run file of this command, or none",
  )


@contextlib.contextmanager
def _user_errors() -> Iterator[None]:
  """Turns gin's complaints, and no others, into user errors."""
  try:
    yield
  except errors.UserError as error:
    raise errors.UserError(
      error.what,
      expected=error.expected,
      found=error.found,
      remedy=error.remedy,
    ) from error
  except Exception as error:
    # A bug in our code or the user's has its last frame elsewhere.
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    if not frame.f_globals.get("__name__", "").startswith("gin."):
      raise
    raise errors.UserError(
      "The gin configuration cannot be used.",
      found=gin_files.describe(error),
      remedy="correct that line",
    ) from error
