"""Figures of the page as SVG, in the colours of the page's theme."""

import contextlib
import pathlib
import re
import tempfile
from collections.abc import Iterator
from typing import Any

from distill.comparison import figures
from distill.comparison.results import Results
from distill.reporting.material import Run

# The colour of text and axes, which the page replaces by its own.
_INK = "#010203"
_STYLE = {
  **dict.fromkeys(
    [
      *("text.color", "axes.labelcolor", "axes.edgecolor"),
      *("xtick.color", "ytick.color"),
    ],
    _INK,
  ),
  "svg.fonttype": "none",
  "savefig.transparent": True,
  "legend.framealpha": 0.0,
  "font.size": 11.0,
}


def of_grid(results: Results) -> str:
  """Returns the figure of a comparison as an SVG element."""
  with _styled() as path:
    figures.draw(results, path)
    return _element(path, f"Accuracy of the students of {results.grid}")


def of_run(run: Run) -> str:
  """Returns loss, validation accuracy and speed against steps; '' without."""
  panels = {
    "training loss": _series(run.train, "loss"),
    "validation accuracy (%)": _series(run.validation, "accuracy"),
    "tokens per second": _series(run.train, "tokens_per_second"),
  }
  panels = {title: lines for title, lines in panels.items() if lines}
  if not panels:
    return ""
  with _styled() as path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
      1, len(panels), figsize=(4.5 * len(panels), 3.2), squeeze=False
    )
    for panel, (title, lines) in zip(axes[0], panels.items(), strict=True):
      for name, points in lines.items():
        panel.plot(*zip(*points, strict=True), marker=".", ms=3, label=name)
      panel.set_title(title)
      panel.set_xlabel("step")
      if len(lines) > 1:
        panel.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return _element(path, f"Training of {run.name}")


def _series(lines: Any, wanted: str) -> dict[str, list[tuple[float, float]]]:
  """Returns the points of each logged metric of a name or of its parts."""
  found: dict[str, list[tuple[float, float]]] = {}
  for line in lines:
    for name, value in line.items():
      if wanted in (name, name.partition("/")[0], name.rpartition("/")[2]):
        found.setdefault(name, []).append((line["step"], value))
  return found


@contextlib.contextmanager
def _styled() -> Iterator[pathlib.Path]:
  import matplotlib

  matplotlib.use("Agg")
  with tempfile.TemporaryDirectory() as folder, matplotlib.rc_context(_STYLE):
    yield pathlib.Path(folder) / "figure.svg"


def _element(path: pathlib.Path, label: str) -> str:
  """Returns the SVG element of a file, scalable and with a name."""
  text = path.read_text(encoding="utf-8")
  text = text[text.index("<svg") :]
  text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
  text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
  text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
  label = label.replace('"', "")
  name = f'<svg role="img" aria-label="{label}" '
  return text.replace("<svg ", name, 1).replace(_INK, "currentColor")
