"""A published dataset: where its rows are, how they read, how they split.

Rows are in local files in the authors' form, in TFDS, or in a dataset of
Hugging Face.
"""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from distill.data import raw_files
from distill.data.examples import Example, check_split, hash_bucket, with_ids
from distill.data.published import forms
from distill.data.published.forms import Row
from distill.data.published.splits import Chooser
from distill.errors import UserError

_VALIDATION_PART = 10


class Source(Protocol):
  """Where rows are; `root` is a folder in place of $DISTILL_RAW_DATA_DIR."""

  @property
  def splits(self) -> Mapping[str, str]:
    """The source's names of our splits."""

  @property
  def where(self) -> str:
    """What it reads and who publishes it, for `distill list`."""

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether a split can be read without a download."""

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows with a name each, for messages.

    Raises:
      UserError: The rows are absent or malformed.
    """


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

  @property
  def where(self) -> str:
    """The files with the names of splits, and their home."""
    names = "|".join(dict.fromkeys(self.splits.values()))
    return f"{self.place.replace('{}', '{' + names + '}')} of {self.home}"

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


def _same_names() -> Mapping[str, str]:
  return {name: name for name in ("train", "validation", "test")}


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
  splits: Mapping[str, str] = field(default_factory=_same_names)
  data_dir: str | None = None

  @property
  def where(self) -> str:
    """TFDS's name of the data set."""
    return f"TFDS {self.name}"

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


@dataclass(frozen=True)
class HuggingFace:
  """Rows of a dataset that the library `datasets` reads, as Python values.

  `datasets` (the extra `hf`) is imported when a split is first read. Labels of
  its type ClassLabel become their names.

  Attributes:
    place: A name on Hugging Face's hub, or a folder that `save_to_disk` wrote
      or that holds Parquet, JSON or CSV files. A relative folder is looked for
      below the folder of raw data too.
    splits: Their names of our splits.
    config: The dataset's configuration, None for its only one.
    revision: A branch, a tag or a commit on the hub.
  """

  place: str
  splits: Mapping[str, str] = field(default_factory=_same_names)
  config: str | None = None
  revision: str | None = None

  @property
  def where(self) -> str:
    """The dataset's name on the hub, or its folder."""
    return f"Hugging Face {self.place}"

  def is_there(self, split: str, root: str | None) -> bool:
    """Returns whether the folder is there, or `datasets` has the data."""
    if self._folder(root) is not None:
      return True
    try:
      self._load(split, root, local_files_only=True)
    except Exception:  # Not installed, not downloaded, or no such dataset.
      return False
    return True

  def rows(self, split: str, root: str | None) -> list[tuple[str, Row]]:
    """Returns the rows; raises UserError if `datasets` cannot read them."""
    try:
      found = self._load(split, root)
      return [
        (f"Row {number} of {self.where}", _with_names(row, found.features))
        for number, row in enumerate(found)
      ]
    except ImportError as error:
      raise UserError(
        f"'{self.place}' is read by the library 'datasets'.",
        found=str(error),
        remedy="run `pip install distill-jax[hf]`",
      ) from error
    except Exception as error:  # Whatever a download or a disk may do.
      raise UserError(
        f"The library 'datasets' cannot read '{self.place}'.",
        expected=f"a dataset with the split '{self.splits[split]}'",
        found=f"{type(error).__name__}: {error}",
        remedy="correct its name, its configuration or its splits",
      ) from error

  def _folder(self, root: str | None) -> pathlib.Path | None:
    raw = root or os.environ.get("DISTILL_RAW_DATA_DIR", "")
    places = (pathlib.Path(self.place), pathlib.Path(raw, self.place))
    return next((place for place in places if place.is_dir()), None)

  def _load(self, split: str, root: str | None, **options: Any) -> Any:
    import datasets

    folder, theirs = self._folder(root), self.splits[split]
    if folder is not None and (folder / "dataset_dict.json").is_file():
      return datasets.load_from_disk(str(folder))[theirs]
    return datasets.load_dataset(
      str(folder or self.place),
      self.config,
      split=theirs,
      revision=self.revision,
      download_config=datasets.DownloadConfig(**options),
    )


def _with_names(row: Row, features: Mapping[str, Any]) -> Row:
  """Returns a row of `datasets` with its labels' names, '' where unlabeled."""
  names = {
    field: features[field].int2str(value) if value >= 0 else ""
    for field, value in row.items()
    if hasattr(features[field], "int2str") and value is not None
  }
  return {**row, **names}


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
  form: forms.Form
  source: Source
  others: tuple[Source, ...] = ()
  choose: Mapping[str, Chooser] = field(default_factory=dict)
  root: str | None = None
  splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")

  @property
  def where(self) -> str:
    """Where its rows are from, for `distill list`."""
    return " or ".join(s.where for s in (self.source, *self.others))

  def examples(self, split: str) -> Sequence[Example]:
    """Returns a split's examples in the order of the source.

    Raises:
      UserError: There is no such split, or its rows are absent or malformed.
    """
    check_split(self, split)
    published, sources = self._who_has(split)
    if not sources:
      raise UserError(
        f"The dataset '{self.name}' has no split '{split}'.",
        expected=f"a source that has rows of '{published}'",
        remedy=f"add '{published}' to the splits of its Files or Tfds",
      )
    ready = (s for s in sources if s.is_there(published, self.root))
    found = next(ready, sources[0]).rows(published, self.root)
    if published in self.choose:
      found = [found[i] for i in self.choose[published](len(found))]
    pairs = forms.read(self.form, found)
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
    if sources or split != "validation":
      return split, sources
    return self._who_has("train")
