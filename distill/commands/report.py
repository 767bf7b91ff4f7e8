"""`distill report`: one page of results, costs and examples."""

import argparse
import pathlib
from collections.abc import Sequence

from distill import console, errors
from distill.flags import Parser


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = Parser(
    "distill report",
    description="Writes one HTML page about grids, runs, evaluations and"
    " caches, in any number: answers in sentences, tables, figures, costs, and"
    " a browser of examples. It opens from disk and loads nothing from the"
    " network.",
  )
  add = parser.add_argument
  add(
    "paths",
    nargs="+",
    type=pathlib.Path,
    metavar="PATH",
    help="the folder or results.json of a grid, a MODEL_DIR, an"
    " EVAL_OUTPUT_DIR, or a cache",
  )
  add("--output", type=pathlib.Path, default=pathlib.Path("report.html"))
  add("--title", default="", help="the page's heading; default: the paths")
  add(
    "--module",
    action="append",
    default=[],
    help="a Python module that registers your family; may be repeated",
  )
  return parser.parse(argv)


def main(argv: Sequence[str]) -> None:
  """Writes the page, and prints its sentences."""
  flags = parse_arguments(argv)
  if flags.output.suffix != ".html":
    raise errors.UserError(
      "--output is no HTML file.",
      expected="a name that ends in .html",
      found=str(flags.output),
    )
  if not flags.output.absolute().parent.is_dir():
    raise errors.UserError(
      "--output is in a folder that does not exist.",
      expected="an existing folder",
      found=str(flags.output.absolute().parent),
    )
  with console.watch_signals(console.end_process):
    console.say("reading " + ", ".join(map(str, flags.paths)))
    console.import_tensorflow()
    from distill.reporting import material, page
  found = material.read(flags.paths)
  title = flags.title or ", ".join(path.name for path in flags.paths)
  made = page.make(found, title, flags.module)
  beside = page.write(made, flags.output)
  print("\n".join(made.sentences))
  print(f"{flags.output}: {len(made.rows):,} examples")
  if beside:
    print(f"{beside} belongs to the page; move both together")
