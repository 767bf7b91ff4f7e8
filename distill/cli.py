"""The console: `distill <command>` runs the module of that command."""

import importlib
import os
import shlex
import sys
from collections.abc import Sequence

import distill
from distill import errors
from distill.flags import Parser

# Command → what it does. `cache ask` is the module `cache_ask`.
COMMANDS = {
  "list": "print the datasets, methods and experiments, and what they need",
  "cache ask": "ask a teacher model for rationales and cache them",
  "cache import": "cache rationales from files that others published",
  "cache report": "measure the quality of cached rationales",
  "cache filter": "copy the cached rationales that pass filters",
  "cache journal": "inspect or clean the journal of a teacher's responses",
  "train": "train a student",
  "evaluate": "evaluate a checkpoint on the test split",
  "infer": "write predictions or log-likelihoods, or answer typed inputs",
  "convert": "convert a checkpoint to T5X's or Hugging Face's format",
  "plan": "print what a run needs of a TPU slice or a GPU node",
  "compare": "train and test a grid of students and compare the results",
  "report": "write a page of answers, figures and examples to look at",
}
# Commands that `python -m distill.<command>` runs too: modules of `distill`.
_TOP_LEVEL = ("train", "evaluate", "infer")
# Former command → the present one.
_FORMER = {
  "cache_rationales": ("cache", "ask"),
  "import_rationales": ("cache", "import"),
  "report_rationales": ("cache", "report"),
  "filter_rationales": ("cache", "filter"),
  "journal": ("cache", "journal"),
  "score": ("infer", "--gin.MODE=score"),
}


def usage(prefix: str = "") -> str:
  """Returns the text of `distill --help`, or of `distill cache --help`.

  Args:
    prefix: 'cache ' for its subcommands alone.
  """
  rows = {n: what for n, what in COMMANDS.items() if n.startswith(prefix)}
  width = max(map(len, rows))
  return "\n".join(
    [f"usage: distill {prefix}<command> [flags]", "", "commands:"]
    + [f"  {name:<{width}}  {what}" for name, what in rows.items()]
    + [
      "",
      "`distill <command> --help` lists the flags of one command.",
      "`distill --version` prints the version.",
      "Shell completion: pip install argcomplete, then"
      ' eval "$(register-python-argcomplete distill)"',
    ]
  )


def present(argv: Sequence[str]) -> list[str]:
  """Returns a command line with the present name of its command.

  A former name is followed by one line on stderr that shows the present one.
  """
  if not argv or argv[0] not in _FORMER:
    return list(argv)
  line = [*_FORMER[argv[0]], *argv[1:]]
  print(
    f"`distill {argv[0]}` is now: {shlex.join(['distill', *line])}",
    file=sys.stderr,
  )
  return line


def dispatch(argv: Sequence[str]) -> int:
  """Runs the command named first in `argv` and returns its exit code.

  Raises:
    UserError: There is no such command.
  """
  words = present(argv) or ["--help"]
  prefix = "cache " if words[0] == "cache" else ""
  if prefix:
    del words[0]
  command, *rest = words or ["--help"]
  if command in ("-h", "--help", "help"):
    print(usage(prefix))
    return 0
  if not prefix and command in ("-V", "--version", "version"):
    print(f"distill {distill.__version__}")
    return 0
  name = prefix + command
  if name not in COMMANDS:
    raise _unknown(name)
  return importlib.import_module(module_of(name)).main(rest) or 0


def module_of(command: str) -> str:
  """Returns the module whose `main(argv)` runs a command of `COMMANDS`."""
  package = "distill" if command in _TOP_LEVEL else "distill.commands"
  return f"{package}.{command.replace(' ', '_')}"


def _unknown(name: str) -> errors.UserError:
  """Returns the error for an unknown command, with the nearest one."""
  names = [*COMMANDS, "--help", "--version"]
  begun = [n for n in names if n.startswith(name.lower())]
  close = (begun or [errors.nearest(name.lower(), names, cutoff=0.6)])[0]
  return errors.UserError(
    f"There is no command '{name}'.",
    expected="one of " + ", ".join(COMMANDS),
    remedy=(f"did you mean '{close}'? " if close else "")
    + "`distill --help` lists the commands",
  )


def complete() -> None:
  """Writes completions of the command line that argcomplete gives, and exits.

  The parser of a command that stands in the line completes its flags.
  """
  line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
  words = f"{line}.".split()[1:-1]  # Without the one that is being typed.
  size = next((n for n in (2, 1) if " ".join(words[:n]) in COMMANDS), 0)
  if size:
    os.environ["_ARGCOMPLETE"] = str(size + 1)
    dispatch(words[:size])
  parser = Parser("distill")
  prefix = "cache " if words == ["cache"] else ""
  names = [n.removeprefix(prefix) for n in COMMANDS if n.startswith(prefix)]
  os.environ["_ARGCOMPLETE"] = str(len(words) + 1)
  parser.add_argument("command", choices=[n.partition(" ")[0] for n in names])
  parser.complete()


def main() -> None:
  """Entry point of the `distill` script."""
  if "_ARGCOMPLETE" in os.environ:
    complete()
  sys.exit(errors.run_command(dispatch))
