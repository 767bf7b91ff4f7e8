"""A published dataset: where its rows are, how they read, how they split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from distill.data.examples import Example, check_split, hash_bucket, with_ids
from distill.data.published import rows
from distill.data.published.sources import Source
from distill.data.published.splits import Chooser

_VALIDATION_PART = 10


@dataclass(frozen=True)
class Published:
  """One dataset in its authors' form and split; `tasks` has the table.

  Where no source has validation rows, about a tenth of train, chosen by a
  hash of the input, is held out for it.

  Attributes:
    name: The family's name.
    form: Reads a row; None for one that is no example.
    source: Has the rows, and may download them.
    others: Further ones. The first that has a split on this machine is read.
    choose: Which rows of its source a split takes; all, if it is not named.
    root: The folder of local files, by default $DISTILL_RAW_DATA_DIR.
  """

  name: str
  form: rows.Form
  source: Source
  others: tuple[Source, ...] = ()
  choose: Mapping[str, Chooser] = field(default_factory=dict)
  root: str | None = None
  splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

  def examples(self, split: str) -> Sequence[Example]:
    """Returns a split's examples in the order of the source.

    Raises:
      UserError: There is no such split, or its rows are absent or malformed.
    """
    check_split(self, split)
    published, sources = self._who_has(split)
    ready = (s for s in sources if s.is_there(published, self.root))
    found = next(ready, sources[0]).rows(published, self.root)
    if published in self.choose:
      found = [found[i] for i in self.choose[published](len(found))]
    pairs = rows.read(self.form, found)
    if published == "train":
      held_out = split == "validation"
      pairs = [pair for pair in pairs if self.held_out(pair[0]) == held_out]
    return with_ids(pairs)

  def held_out(self, input: str) -> bool:
    """Returns whether an input of the train rows is for validation."""
    is_carved = self._who_has("validation")[0] == "train"
    return is_carved and hash_bucket(input, _VALIDATION_PART) == 0

  def is_there(self, split: str) -> bool:
    """Returns whether a split can be read without a download."""
    published, sources = self._who_has(split)
    return any(source.is_there(published, self.root) for source in sources)

  def _who_has(self, split: str) -> tuple[str, list[Source]]:
    """Returns the published split that has a split's rows, and its sources."""
    known = (self.source, *self.others)
    sources = [source for source in known if split in source.splits]
    return (split, sources) if sources else self._who_has("train")
