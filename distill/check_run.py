"""Checks a run's flags and gin files before a launcher asks for hosts.

`python -m distill.check_run [--pod] ENGINE COMMAND FLAGS` reads text alone: no
framework is imported. It prints the gin files that the run reads, one a line.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence

from distill import errors, gin_checks, gin_files, gin_run

COMMANDS = {
  "native": ("train", "evaluate", "infer"),
  "t5x": ("train", "eval", "infer"),
}
# What all hosts of a pod must find in the same place.
_SHARED = (
  *("MODEL_DIR", "INITIAL_CHECKPOINT_PATH", "CHECKPOINT_PATH"),
  *("EVAL_OUTPUT_DIR", "INFER_OUTPUT_DIR"),
)


def survey_t5x(argv: Sequence[str]) -> gin_files.Survey:
  """Returns the survey of a command line of T5X.

  Where T5X's own files are included and are not here, macros are not checked.

  Raises:
    UserError: A flag, a gin file or a binding is wrong, a macro has no value,
      or its value is not gin.
  """
  flags = gin_run.parse_flags("train", argv, allow_unknown=True)
  folders = [f for f in flags.gin_search_paths.split(",") if f]
  spec = importlib.util.find_spec("t5x")
  for package in (spec and spec.submodule_search_locations) or ():
    folders.append(os.path.dirname(package))
  survey = gin_files.Survey(["", *folders], for_t5x=True)
  for file in flags.gin_file:
    survey.add_file(file)
  for text in flags.gin_bindings:
    _add_t5x_binding(text, survey)
  if not survey.skipped:
    gin_checks.check_complete(survey)
    gin_checks.check_values(survey)
  return survey


def _add_t5x_binding(text: str, survey: gin_files.Survey) -> None:
  name, _, value = (part.strip() for part in text.partition("="))
  if not name.isidentifier() or survey.skipped:
    survey.add_binding(text)
    return
  literal = gin_checks.checked_binding(text, survey).partition("=")[2].strip()
  if literal != value:
    raise errors.UserError(
      f"T5X would read the value of {name} as gin, which it is not.",
      expected="a gin literal",
      found=value,
      remedy=f"quote text twice: --gin.{name}=\"'{value}'\"",
    )


def check_shared(survey: gin_files.Survey, argv: Sequence[str]) -> None:
  """Checks that every host of a pod finds the run's files.

  Args:
    survey: Of the run.
    argv: Its flags.

  Raises:
    UserError: A gin file has an absolute path, or a folder or a checkpoint is
      on a disk, of which each host has its own.
  """
  flags = gin_run.parse_flags("train", argv, allow_unknown=True)
  for file in [*flags.gin_file, *flags.gin_search_paths.split(",")]:
    if os.path.isabs(file):
      raise errors.UserError(
        f"The hosts will not have '{file}'.",
        expected="a path within this checkout, relative to it",
        remedy="copy it into the checkout, which is sent to the hosts",
      )
  for name in _SHARED:
    value = survey.defined[name].value if name in survey.defined else None
    for path in value if isinstance(value, list | tuple) else [value]:
      if isinstance(path, str) and path and not path.startswith("gs://"):
        raise errors.UserError(
          f"Each host would have its own {name}.",
          expected="a gs:// folder",
          found=path,
          remedy=f"give --gin.{name}=gs://…, with quotes for T5X",
        )


def main(argv: Sequence[str]) -> None:
  """Prints the gin files of a run.

  Raises:
    UserError: The run would not start.
  """
  pod = list(argv[:1]) == ["--pod"]
  engine, command = (*argv[pod:], "", "")[:2]
  flags = argv[pod + 2 :]
  if command not in COMMANDS.get(engine, ()):
    known = [f"{e} {name}" for e, names in COMMANDS.items() for name in names]
    raise errors.unknown("command", f"{engine} {command}", known)
  if engine == "native":
    survey, _ = gin_run.checked(command, gin_run.parse_flags(command, flags))
  else:
    survey = survey_t5x(flags)
  if pod:
    check_shared(survey, flags)
  if survey.skipped:
    print(
      "Macros are not checked: T5X's own gin files are not here.",
      file=sys.stderr,
    )
  print("\n".join(survey.paths))


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
