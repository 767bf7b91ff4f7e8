"""CommonsenseQA (Talmor et al. 2019), as the paper's authors released it."""

import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from distill.data import raw_files
from distill.data.examples import Example, check_split, hash_bucket, with_ids
from distill.data.published import released

_VALIDATION_PART = 10


@dataclass(frozen=True)
class CommonsenseQa:
  """Question and '(a) …' to '(e) …' → the text of the right choice.

  Test is what others call validation (its test labels were never published);
  about a tenth of train, chosen by a hash of the input, is held out.

  Attributes:
    folder: Has cqa_train.json and cqa_test.json; by default
      $DISTILL_RAW_DATA_DIR/distilling_step_by_step/cqa.
    name: The family's name.
  """

  folder: str | None = None
  name: str = "cqa"
  splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

  def examples(self, split: str) -> Sequence[Example]:
    """Returns a split's examples in the order of the files.

    Raises:
      UserError: There is no such split, or its file is absent or malformed.
    """
    check_split(self, split)
    file = "cqa_test.json" if split == "test" else "cqa_train.json"
    folder = self.folder or raw_files.raw_folder(
      "distilling_step_by_step", "cqa"
    )
    path = pathlib.Path(folder) / file
    rows = [
      released.input_and_label(row, f"Row {number} of {path}")
      for number, row in enumerate(raw_files.read_rows(path))
    ]
    if split == "test":
      return with_ids(rows)
    held_out = split == "validation"
    return with_ids(row for row in rows if self.held_out(row[0]) == held_out)

  def held_out(self, input: str) -> bool:
    """Returns whether an input of the train file is for validation."""
    return hash_bucket(input, _VALIDATION_PART) == 0
