"""The dispatcher: `distill <command>` runs `distill.<command>`."""

import importlib
import sys
from collections.abc import Sequence

import distill
from distill import errors

# Command, and what it does in one line; each is the module of that name.
COMMANDS = {
  "list": "print every dataset, method and experiment, and what each needs",
  "cache_rationales": "ask a teacher for rationales and cache its answers",
  "import_rationales": "cache rationales that others published",
  "report_rationales": "say how far cached rationales can be trusted",
  "filter_rationales": "copy the answers that are fit to learn from",
  "journal": "look after the answers that were paid for",
  "train": "train a student from gin files",
  "evaluate": "score a checkpoint on the test split",
  "infer": "write a checkpoint's predictions as JSONL, or answer a terminal",
  "convert": "write weights in the format of T5X or Hugging Face",
  "compare": "run a grid of students and say who does better",
  "score": "write log-likelihoods of given targets as JSONL",
}


def usage() -> str:
  """Returns the text of `distill --help`."""
  width = max(map(len, COMMANDS))
  rows = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
  return "\n".join(
    ["usage: distill <command> [flags]", "", "commands:"]
    + rows
    + [
      "",
      "`distill <command> --help` lists the flags of one command.",
      "`distill --version` prints the version.",
    ]
  )


def dispatch(argv: Sequence[str]) -> int:
  """Runs the command named first in `argv` and returns its exit code."""
  if not argv or argv[0] in ("-h", "--help", "help"):
    print(usage())
    return 0
  command, *rest = argv
  if command in ("-V", "--version", "version"):
    print(f"distill {distill.__version__}")
    return 0
  if command not in COMMANDS:
    import difflib  # not at the start of each command

    names, typed = [*COMMANDS, "--help", "--version"], command.lower()
    close = [name for name in names if name.startswith(typed)]
    close += difflib.get_close_matches(typed, names, n=1)
    raise errors.UserError(
      f"There is no command '{command}'.",
      expected="one of " + ", ".join(COMMANDS),
      remedy=(f"did you mean '{close[0]}'? " if close else "")
      + "`distill --help` says what each does",
    )
  module = importlib.import_module(f"distill.{command}")
  return module.main(rest) or 0


def main() -> None:
  """Entry point of the `distill` script."""
  sys.exit(errors.run_command(dispatch))
