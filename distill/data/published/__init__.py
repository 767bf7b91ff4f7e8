"""Published datasets: what a module in `tasks` says about one, as a table.

`Published(name, form, source, others=…, choose=…)`: a form reads a row
(choices.py, questions.py), sources have rows (local files or TFDS), `choose`
says which of them a split takes (splits.py). docs/datasets.md lists the sets.
"""

from distill.answers import upstream
from distill.data.published import choices, questions, splits
from distill.data.published.dataset import Published
from distill.data.published.sources import Files, Tfds

__all__ = [
  "Files",
  "Published",
  "Tfds",
  "choices",
  "questions",
  "splits",
  "upstream",
]
