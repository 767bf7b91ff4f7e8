"""Where published rows are: local files in the authors' form, or TFDS."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from distill.data import raw_files
from distill.data.published.rows import Row
from distill.errors import UserError


@dataclass(frozen=True)
class Files:
  """Rows of JSON, JSON lines, CSV, TSV or XML files (raw_files.read_rows).

  Attributes:
    place: A path below the folder of raw data, with {} where their name of the
      split goes; 'a+b' is b's rows after a's.
    home: The address where the authors publish it, for the message if it is
      absent; any word without a point in it, such as 'ourselves', for a file
      of your own.
    splits: Their names of our splits; by default one file has train and test.
    prepare: What is done to the rows before a form sees them.
  """

  place: str
  home: str
  splits: Mapping[str, str] = field(
    default_factory=lambda: {"train": "", "test": ""}
  )
  prepare: Callable[[Iterable[Row]], Iterable[Row]] = iter

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether all files are in `root`."""
    try:
      return all(path.is_file() for path in self._paths(split, root))
    except UserError:
      return False

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows; raises UserError if a file is absent or malformed."""
    paths = self._paths(split, root)
    for path in paths:
      if not path.is_file():
        published = "." in self.home
        raise UserError(
          f"{path} is absent.",
          expected="the file as its authors publish it" * published,
          remedy=(f"get it from {self.home}" if published else "put it there")
          + ", or name the folder that has it by DISTILL_RAW_DATA_DIR"
          " (docs/datasets.md)",
        )
    return [row for path in paths for row in self._prepared(path)]

  def _prepared(self, path: pathlib.Path) -> Iterator[tuple[str, Row]]:
    rows = raw_files.read_rows(path)
    number = -1
    try:
      for number, row in enumerate(self.prepare(rows)):
        yield f"Row {number} of {path}", row
    except (AttributeError, LookupError, TypeError, ValueError) as error:
      raise UserError(
        f"{path} is malformed.",
        expected="rows as its authors publish them",
        found=f"after {number + 1} rows, {type(error).__name__}: {error}",
        remedy="correct the file",
      ) from error

  def _paths(self, split: str, root: str | None) -> list[pathlib.Path]:
    files = self.place.format(self.splits[split])
    folder = pathlib.Path(root or raw_files.raw_folder(files))
    return [folder / file for file in files.split("+")]


@dataclass(frozen=True)
class Tfds:
  """Rows of a TFDS data set, as plain Python values.

  TFDS is imported, and downloads and prepares the data, when a split is first
  read. Rows come in the order of TFDS's shards.

  Attributes:
    name: TFDS's name, with a configuration: 'anli/r1'.
    splits: TFDS's names of our splits.
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
    return bool(self._builder().data_path.exists())

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows; raises UserError if TFDS cannot prepare the data."""
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
    theirs, features = self.splits[split], builder.info.features
    rows = tfds.as_numpy(builder.as_dataset(split=theirs, shuffle_files=False))
    return [
      (f"Row {number} of TFDS's {self.name}", _plain(features, row))
      for number, row in enumerate(rows)
    ]

  def _builder(self) -> Any:
    import tensorflow_datasets as tfds

    return tfds.builder(self.name, data_dir=self.data_dir)


def _plain(feature: Any, value: Any) -> Any:
  """Returns a TFDS value as JSON has it: text, names of classes, lists."""
  import tensorflow_datasets as tfds

  if isinstance(feature, tfds.features.FeaturesDict):
    return {key: _plain(inner, value[key]) for key, inner in feature.items()}
  if isinstance(feature, tfds.features.Sequence):
    inner = feature.feature
    if isinstance(inner, tfds.features.FeaturesDict):
      columns = inner.items()
      return {key: [_plain(f, v) for v in value[key]] for key, f in columns}
    return [_plain(inner, item) for item in value]
  if isinstance(feature, tfds.features.ClassLabel):
    return feature.names[value] if value >= 0 else ""
  return value.decode() if isinstance(value, bytes) else value.item()


Source = Files | Tfds
