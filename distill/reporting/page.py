"""The page: its content, and the files that hold it."""

import dataclasses
import datetime
import importlib.resources
import pathlib
from collections.abc import Sequence
from typing import Any

import distill
from distill import errors
from distill.comparison import tables
from distill.reporting import charts, example_rows, summaries
from distill.reporting.example_rows import Row
from distill.reporting.material import Material
from distill.reporting.summaries import Table

# Number of examples in the page itself, and in each file beside it.
ROWS_A_FILE = 2_000


@dataclasses.dataclass(frozen=True)
class Figure:
  """An SVG element, or '' with the tables alone; `text` is shown on demand."""

  title: str
  svg: str
  tables: Sequence[Table]
  text: str = ""


@dataclasses.dataclass(frozen=True)
class Page:
  """All that the page shows.

  Attributes:
    title: Its heading.
    sentences: The answers.
    missing: What could not be read or is not finished.
    grids: A figure and tables for each grid.
    runs: The same for each training run.
    classes: Tables of students' classes.
    caches: Tables of teachers and of the quality of their answers.
    costs: `summaries.costs` of all grids.
    cpu_hour: US dollars an hour of a core; None is not known.
    rows: The examples.
  """

  title: str
  sentences: Sequence[str]
  missing: Sequence[str]
  grids: Sequence[Figure]
  runs: Sequence[Figure]
  classes: Sequence[Table]
  caches: Sequence[Table]
  costs: Sequence[dict[str, Any]]
  cpu_hour: float | None
  rows: Sequence[Row]


def make(found: Material, title: str, modules: Sequence[str] = ()) -> Page:
  """Returns the page of what was found.

  Args:
    found: Grids, runs, evaluations and caches.
    title: The heading.
    modules: Python modules that register families.

  Raises:
    UserError: A cache cannot be read, or nobody registers its family.
  """
  sentences, grids, caches = [], [], []
  for results in found.grids.values():
    said, table = summaries.of_grid(results)
    sentences += said
    text = tables.report(results)
    svg = charts.of_grid(results)
    grids.append(Figure(results.grid, svg, [table], text))
  opened = [example_rows.open_cache(folder, modules) for folder in found.caches]
  for cache in opened:
    said, some = summaries.of_cache(cache)
    sentences += said
    caches += some
  rows = example_rows.rows(opened, found.evaluations)
  sentences += summaries.against_teacher(rows)
  hours = [g.cpu_hour_price for g in found.grids.values() if g.cpu_hour_price]
  return Page(
    title=title,
    sentences=sentences or ["There is nothing to report yet."],
    missing=found.missing,
    grids=grids,
    runs=[
      Figure(run.name, charts.of_run(run), [summaries.of_run(run)])
      for run in found.runs
    ],
    classes=summaries.of_classes(found.evaluations),
    caches=caches,
    costs=[c for g in found.grids.values() for c in summaries.costs(g)],
    cpu_hour=hours[0] if hours else None,
    rows=rows,
  )


def write(page: Page, path: pathlib.Path) -> pathlib.Path | None:
  """Writes the page.

  Up to 2,000 examples stand in the page itself. Of more, the rest is beside it:
  scripts, since a page on disk may not fetch anything else.

  Args:
    page: The content.
    path: The HTML file. It is replaced with what stands beside it.

  Returns:
    The folder beside the page, None if all is in the page.
  """
  parts = [
    page.rows[start : start + ROWS_A_FILE]
    for start in range(0, len(page.rows), ROWS_A_FILE)
  ]
  folder = path.with_name(f"{path.stem}-examples")
  for former in folder.glob("rows-*.js"):
    former.unlink()
  names = []
  for number, part in enumerate(parts[1:], start=1):
    folder.mkdir(exist_ok=True)
    name = f"rows-{number:04d}.js"
    text = f"addRows({example_rows.as_script(part)})\n"
    errors.write_whole(folder / name, text)
    names.append(f"{folder.name}/{name}")
  browser = {
    "rows": parts[0] if parts else [],
    "files": names,
    "total": len(page.rows),
    "costs": page.costs,
    "cpuHour": page.cpu_hour,
    "title": page.title,
  }
  errors.write_whole(path, _render(page, browser))
  return folder if names else None


def _render(page: Page, browser: dict[str, Any]) -> str:
  import jinja2

  files = importlib.resources.files(__package__)
  kept = {
    name: files.joinpath(name).read_text(encoding="utf-8")
    for name in ("page.html", "page.css", "browser.js", "costs.js")
  }
  environment = jinja2.Environment(
    autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
  )
  return environment.from_string(kept["page.html"]).render(
    page=page,
    style=kept["page.css"],
    scripts=[kept["browser.js"], kept["costs.js"]],
    data=example_rows.as_script(browser),
    version=distill.__version__,
    date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
  )
