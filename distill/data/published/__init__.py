"""Published datasets: what a module in `tasks` says about one, as a table.

`Published(name, form, source, others=…, choose=…)`: a form reads a row
(forms.py), sources have rows (local files, TFDS or Hugging Face), `choose`
says which of them a split takes (splits.py). docs/datasets.md lists the sets.
"""

from distill.answers import upstream
from distill.data.published import forms, splits
from distill.data.published.dataset import (
  Files,
  HuggingFace,
  Published,
  Tfds,
)

__all__ = [
  "Files",
  "HuggingFace",
  "Published",
  "Tfds",
  "forms",
  "splits",
  "upstream",
]
