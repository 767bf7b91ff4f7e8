"""Runs the `distill plan` commands of docs/scaling.md and writes their output.

A command is a block of `sh`; the block after it is its output. Commands that
compile take minutes each and run only with --compile.
"""

import argparse
import contextlib
import io
import pathlib
import re
import shlex
from collections.abc import Sequence

from distill.commands import plan

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "scaling.md"
_BLOCKS = re.compile(
  r"```sh\n(distill plan .*?)```\n\n```\n(.*?)```", re.DOTALL
)


def run(command: str) -> str:
  """Returns what a command prints."""
  _, _, *argv = shlex.split(command.replace("\\\n", " "))
  printed = io.StringIO()
  with contextlib.redirect_stdout(printed):
    plan.main(argv)
  return printed.getvalue()


def rewritten(page: str, compiling: bool) -> str:
  """Returns the page with the present output of its commands.

  Args:
    page: The text of the page.
    compiling: Whether the commands without --cost run too.
  """

  def block(found: re.Match[str]) -> str:
    command, output = found.groups()
    if compiling or "--cost" in command:
      output = run(command)
    return f"```sh\n{command}```\n\n```\n{output}```"

  return _BLOCKS.sub(block, page)


def main(argv: Sequence[str] | None = None) -> None:
  """Rewrites the page."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--compile", action="store_true")
  options = parser.parse_args(argv)
  page = PAGE.read_text(encoding="utf-8")
  PAGE.write_text(rewritten(page, options.compile), encoding="utf-8")


if __name__ == "__main__":
  main()
