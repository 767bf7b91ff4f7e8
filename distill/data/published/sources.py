"""Where published rows are: local files in the authors' form, or TFDS."""

import pathlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from distill.data import raw_files
from distill.data.published.rows import Row
from distill.errors import UserError


class Source(Protocol):
  """Something that may have the rows of some splits."""

  @property
  def splits(self) -> Mapping[str, Any]:
    """The splits that it knows, and where they are."""

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether the rows can be read without a download."""

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows, each with where it is; or raises UserError."""


@dataclass(frozen=True)
class Files:
  """Rows of JSON, JSON lines, CSV, TSV or XML files (raw_files.read_table).

  Attributes:
    splits: For each split the places in the folder of raw data, the authors'
      form first; the first that is there is read. 'a+b' is b's rows after a's.
    home: Where the authors publish them, for the message if none is there.
    prepare: What is done to the rows before a form sees them.
  """

  splits: Mapping[str, tuple[str, ...]]
  home: str
  prepare: Callable[[Iterable[Row]], Iterable[Row]] = iter

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether one of the places has all of its files."""
    try:
      return self._paths(split, root) is not None
    except UserError:
      return False

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows, files in their order.

    Raises:
      UserError: No place has the files, or one of them is of another format.
    """
    paths = self._paths(split, root)
    if paths is None:
      places = " or ".join(self.splits[split])
      raise UserError(
        f"The files of a '{split}' split are absent.",
        expected=f"{places} in {root or raw_files.raw_folder(places)}",
        remedy=f"get them from {self.home}, or name the folder that has"
        " them by DISTILL_RAW_DATA_DIR",
      )
    return [
      (f"Row {number} of {path}", row)
      for path in paths
      for number, row in enumerate(self.prepare(raw_files.read_table(path)))
    ]

  def _paths(self, split: str, root: str | None) -> list[pathlib.Path] | None:
    places = [place.split("+") for place in self.splits[split]]
    folder = pathlib.Path(root or raw_files.raw_folder(places[0][0]))
    for place in places:
      paths = [folder / file for file in place]
      if all(path.is_file() for path in paths):
        return paths
    return None


def one_file(*places: str, home: str, **options: Any) -> Files:
  """Returns the source of a file that has both train and test rows."""
  return Files({"train": places, "test": places}, home, **options)


@dataclass(frozen=True)
class Tfds:
  """Rows of a TFDS data set, as plain Python values.

  TFDS is imported, and downloads and prepares the data, when a split is first
  read. Rows come in the order of TFDS's shards.

  Attributes:
    name: TFDS's name, with a configuration: 'anli/r1'.
    splits: TFDS's name of each of our splits.
    data_dir: TFDS's folder, by default its own ($TFDS_DATA_DIR or
      ~/tensorflow_datasets).
  """

  name: str
  splits: Mapping[str, str] = field(
    default_factory=lambda: {n: n for n in ("train", "validation", "test")}
  )
  data_dir: str | None = None

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether TFDS has prepared the data."""
    del split, root
    return bool(self._builder().data_path.exists())

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows; raises UserError if TFDS cannot prepare the data."""
    del root
    import tensorflow_datasets as tfds

    builder = self._builder()
    try:
      builder.download_and_prepare()
    except Exception as error:  # Whatever a download or a disk may do.
      raise UserError(
        f"TFDS cannot prepare '{self.name}'.",
        expected=f"its files in {builder.data_dir}, or a network to get them",
        found=f"{type(error).__name__}: {error}",
        remedy=f"set TFDS_DATA_DIR to where TFDS has prepared '{self.name}'",
      ) from error
    theirs = self.splits[split]
    rows = tfds.as_numpy(builder.as_dataset(split=theirs, shuffle_files=False))
    return [
      (
        f"Row {number} of TFDS's {self.name}",
        _plain(builder.info.features, row),
      )
      for number, row in enumerate(rows)
    ]

  def _builder(self) -> Any:
    import tensorflow_datasets as tfds

    return tfds.builder(self.name, data_dir=self.data_dir)


def _plain(feature: Any, value: Any) -> Any:
  """Returns a TFDS value as JSON has it: text, names of classes, lists."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.Sequence):
    inner = feature.feature
    if isinstance(inner, tfds.features.FeaturesDict):
      columns = inner.items()
      return {key: [_plain(f, v) for v in value[key]] for key, f in columns}
    return [_plain(inner, item) for item in value]
  if isinstance(feature, tfds.features.FeaturesDict):
    return {key: _plain(inner, value[key]) for key, inner in feature.items()}
  if isinstance(feature, tfds.features.ClassLabel):
    return feature.names[value] if value >= 0 else ""
  return value.decode() if isinstance(value, bytes) else value.item()
