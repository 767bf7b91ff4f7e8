"""e-SNLI (Camburu et al. 2018), read through TFDS."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from distill.data.examples import Example, check_split, with_ids
from distill.errors import UserError


@dataclass(frozen=True)
class ESnli:
  """'premise: … hypothesis: …' → entailment, neutral or contradiction.

  TFDS is imported, and downloads and prepares the data, when a split is first
  read. Rows come in the order of TFDS's shards.

  Attributes:
    data_dir: TFDS's folder, by default its own ($TFDS_DATA_DIR or
      ~/tensorflow_datasets).
    name: The family's name.
  """

  data_dir: str | None = None
  name: str = "esnli"
  splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

  def examples(self, split: str) -> Sequence[Example]:
    """Returns 549,367 train, 9,842 validation or 9,824 test examples.

    Raises:
      UserError: There is no such split, or TFDS cannot prepare the data.
    """
    check_split(self, split)
    import tensorflow_datasets as tfds

    builder = tfds.builder("esnli", data_dir=self.data_dir)
    try:
      builder.download_and_prepare()
    except Exception as error:  # Whatever a download or a disk may do.
      raise UserError(
        "TFDS cannot prepare e-SNLI.",
        expected=f"its files in {builder.data_dir}, or a network to get them",
        found=f"{type(error).__name__}: {error}",
        remedy="set TFDS_DATA_DIR to where TFDS has prepared 'esnli'",
      ) from error
    labels = builder.info.features["label"].names
    rows = tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))
    return with_ids(
      (
        to_input(row["premise"].decode(), row["hypothesis"].decode()),
        labels[row["label"]],
      )
      for row in rows
    )


def to_input(premise: str, hypothesis: str) -> str:
  """Returns the input of a pair, as NLI families here have it."""
  return f"premise: {premise} hypothesis: {hypothesis}"
