"""Results of several methods side by side, as a picture."""

from collections.abc import Sequence
from typing import Any

from distill.evaluation import report


def draw(rows: Sequence[report.Result], path: str) -> None:
  """Draws the mean of each method as a bar and each seed as a dot.

  One panel a task; error bars are the standard error over the seeds.

  Args:
    rows: The results.
    path: The picture's, whose ending says its format.
  """
  import matplotlib

  matplotlib.use("Agg")
  from matplotlib import pyplot

  tasks: dict[str, list[report.Summary]] = {}
  for summary in report.summarize(rows):
    tasks.setdefault(summary.task, []).append(summary)
  tallest = max(map(len, tasks.values()))
  figure, panels = pyplot.subplots(
    1, len(tasks), figsize=(7 * len(tasks), 1.2 + 0.45 * tallest), squeeze=False
  )
  for panel, (task, summaries) in zip(panels[0], tasks.items(), strict=True):
    _bars(panel, summaries)
    first = summaries[0].rows[0]
    panel.set_title(f"{task}, {first.train_examples:,} labelled examples")
    panel.set_xlabel(f"test {first.metric} (%)")
  figure.tight_layout()
  figure.savefig(path, dpi=130)
  pyplot.close(figure)


def _bars(panel: Any, summaries: Sequence[report.Summary]) -> None:
  """Draws one task's methods, the first on top."""
  for place, summary in enumerate(summaries):
    panel.barh(
      place,
      summary.mean,
      height=0.6,
      color=f"C{place}",
      alpha=0.6,
      xerr=summary.standard_error,
      capsize=4,
    )
    values = [row.value for row in summary.rows]
    panel.plot(values, [place] * len(values), "o", color="black", ms=3)
    panel.annotate(
      f"  {summary.mean:.1f}", (100, place), va="center", annotation_clip=False
    )
  panel.set_yticks(range(len(summaries)), [s.method for s in summaries])
  panel.invert_yaxis()
  panel.set_xlim(0, 100)
