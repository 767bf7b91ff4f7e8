"""`distill list`: every dataset, method and experiment, and what each needs."""

import re
from collections.abc import Iterable, Iterator, Sequence

from distill import console, errors, gin_files, gin_run
from distill.data import examples, methods
from distill.flags import Parser


def main(argv: Sequence[str]) -> None:
  """Prints the lists that `argv` names, by default all."""
  lists = {
    "datasets": _datasets,
    "methods": _methods,
    "experiments": _experiments,
  }
  parser = Parser("distill list", description=__doc__)
  parser.add_argument(
    "what", nargs="*", help=", ".join(lists) + "; default all"
  )
  parser.add_argument(
    "--module",
    action="append",
    default=[],
    help="a module that registers datasets of your own; repeatable",
  )
  options = parser.parse(argv)
  if unknown := set(options.what) - lists.keys():
    raise errors.unknown("list of", min(unknown), lists)
  for name in options.what or lists:
    print(f"{name}\n" + "\n".join(_columns(lists[name](options.module))) + "\n")


def _columns(rows: Iterable[Sequence[str]]) -> Iterator[str]:
  """Returns the rows as lines, in columns as wide as their widest cell."""
  table = list(rows)
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  for row in table:
    cells = (f"{c:<{w}}" for c, w in zip(row, widths, strict=True))
    yield "  " + "  ".join(cells).rstrip()


def _datasets(modules: Sequence[str]) -> Iterator[Sequence[str]]:
  """Yields name, which splits are on this machine, and where rows are from."""
  console.import_tensorflow()
  from distill.data import lookup, registration

  for module in ("tasks", *modules):
    lookup.import_registrations(module)
  for name, family in sorted(registration.FAMILIES.items()):
    dataset = family.dataset
    where = getattr(dataset, "where", "")
    if not where:
      yield name, "here", "made, not read: " + type(dataset).__name__
      continue
    missing = examples.absent_splits(dataset)
    status = "not here: " + ", ".join(missing) if missing else "here"
    yield name, status, where


def _methods(modules: Sequence[str]) -> Iterator[Sequence[str]]:
  """Yields name, what it needs, what it learns, and where it is from."""
  for method in methods.METHODS.values():
    needs = "a teacher's cache" if method.needs_teacher else "labels"
    if not method.train:
      needs = "a checkpoint"
    yield method.name, needs, method.summary, method.citation


def _experiments(modules: Sequence[str]) -> Iterator[Sequence[str]]:
  """Yields file, task or mixture, model's file and purpose."""
  folder = gin_run.GIN_CONFIGS / "experiments"
  for path in sorted(folder.glob("*.gin")):
    survey = gin_files.Survey(gin_run.search_path())
    survey.add_file(f"experiments/{path.name}")
    task = survey.defined["MIXTURE_OR_TASK_NAME"].value
    text = path.read_text()
    model = re.findall(r"^include 'models/(\w+)\.gin'", text, re.MULTILINE)[0]
    yield path.name, str(task), model, _purpose(text)


def _purpose(text: str) -> str:
  """Returns the first sentence of an experiment's purpose."""
  found = re.search(r"^# Purpose: +((?:.+\n#  )*.+)$", text, re.MULTILINE)
  words = re.sub(r"\n#\s+", " ", found[1]) if found else ""
  return re.split(r"(?<! al)[.;:](?= |$)|, in the setting", words)[0]
