"""The configuration and the metrics that are stored beside a checkpoint."""

import ast
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from distill.checkpoint_formats import export, opening

# The macros that the model card shows.
_SHOWN = (
  "MIXTURE_OR_TASK_NAME",
  "INITIAL_CHECKPOINT_PATH",
  "TRAIN_STEPS",
  "BATCH_SIZE",
  "TASK_FEATURE_LENGTHS",
  "LEARNING_RATE",
  "LEARNING_RATE_FACTORS",
  "DROPOUT_RATE",
  "ALPHA",
  "LOSS_NORMALIZATION",
  "RANDOM_SEED",
)
_BINDING = re.compile(r"^(?:[\w/]+\.)*(\w+) = \\?\n?(.+)$", re.MULTILINE)
_STRING = r"""(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
# Gin breaks long text into several literals, one a line.
_TEXT = re.compile(rf"{_STRING}(?:\s*{_STRING})*")
_LOCAL = re.compile(r"(file:/*)?[/~]|\.\./")
# T5X's names of pretrained models, and those of the Hugging Face Hub.
_HUB = (
  (re.compile(r"t5_1_1_lm100k_(\w+)"), "google/t5-{}-lm-adapt"),
  (re.compile(r"t5_1_1_(small|base|large|xl|xxl)"), "google/t5-v1_1-{}"),
  (re.compile(r"(?:flan_t5|t5_flan)_(\w+)"), "google/flan-t5-{}"),
  (re.compile(r"byt5_(small|base|large|xl|xxl)"), "google/byt5-{}"),
  (re.compile(r"mt5_(small|base|large|xl|xxl)"), "google/mt5-{}"),
)


class TrainingRecord:
  """The configuration that a run of this project or of T5X wrote.

  Attributes:
    text: The content of config.gin without local paths; '' if there is none.
  """

  def __init__(self, checkpoint: str) -> None:
    self._checkpoint = opening.absolute(checkpoint)
    folder = self._checkpoint
    files = [f / "config.gin" for f in (folder, folder.parent)]
    found = [file for file in files if file.exists()]
    text = found[0].read_text() if found else ""
    self._values = self._parsed(text)
    self.text = _TEXT.sub(_without_path, text)
    self._shown = self._parsed(self.text)

  @staticmethod
  def _parsed(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in _BINDING.findall(text)}

  def settings(self) -> Mapping[str, str]:
    """Returns the most important macros, without local paths."""
    return {n: self._shown[n] for n in _SHOWN if n in self._shown}

  def task(self) -> str:
    """Returns the task or mixture of the training; '' if it is not known."""
    return str(self._literal("MIXTURE_OR_TASK_NAME") or "")

  def module(self) -> str:
    """Returns the module that registers the task; '' if it is not known."""
    return str(self._literal("MIXTURE_OR_TASK_MODULE") or "")

  def base_model(self) -> str | None:
    """Returns the name of the initial checkpoint; None if it is not known.

    It is the name on the Hugging Face Hub if the path has T5X's name of the
    model. It is '' if training started from random weights.
    """
    if "INITIAL_CHECKPOINT_PATH" not in self._values:
      return None
    path = self._literal("INITIAL_CHECKPOINT_PATH")
    if not path:
      return ""
    path = path if isinstance(path, str) else path[0]
    for part in reversed(pathlib.PurePath(path).parts):
      for pattern, name in _HUB:
        if found := pattern.fullmatch(part):
          return name.format(found[1])
    folder = pathlib.PurePath(path)
    is_step = opening.CHECKPOINT.fullmatch(folder.name)
    return folder.parent.name if is_step else folder.name

  def teachers(self) -> list[str]:
    """Returns the names of the teachers of the training data."""
    file = self._checkpoint / "data" / "metadata"
    try:
      sources = json.loads(file.read_text())["dataset"]["sources"]
      caches = [source.get("cache", {}) for source in sources.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
      return []  # another format, or a checkpoint of an earlier version
    return sorted({cache["teacher"] for cache in caches if "teacher" in cache})

  def metrics(self) -> Mapping[str, Mapping[str, float]]:
    """Returns the metrics of this checkpoint by split.

    `distill evaluate` wrote them into the MODEL_DIR, a folder in it, or a
    folder beside it.
    """
    found: dict[str, dict[str, float]] = {}
    folder = self._checkpoint.parent
    places = ("metrics.json", "*/metrics.json", "*/*/metrics.json")
    files = [f for place in places for f in sorted(folder.glob(place))]
    files += sorted(folder.parent.glob("*/metrics.json"))
    for file in files:
      try:
        values = json.loads(file.read_text())
        of, split = values.pop("checkpoint"), values.pop("split")
      except (OSError, ValueError, KeyError, AttributeError):
        continue  # not written by evaluate
      # The folder may have been moved or copied since.
      same = pathlib.PurePath(of).parts[-2:] == self._checkpoint.parts[-2:]
      if same:
        found.setdefault(split, {}).update(values)
    return found

  def activations(self) -> tuple[str, ...] | None:
    """Returns `T5Config.mlp_activations`; None if not recorded."""
    value = self._literal("mlp_activations")
    return tuple(value) if value else None

  def max_new_tokens(self) -> int | None:
    """Returns the length of the targets in tokens; None if not recorded."""
    lengths = self._literal("TASK_FEATURE_LENGTHS")
    return lengths.get("targets") if isinstance(lengths, dict) else None

  def vocabulary(self) -> str | None:
    """Returns a SentencePiece file or `export.BYTES`; None if not recorded."""
    if "ByteVocabulary" in self._values.get("VOCABULARY", ""):
      return export.BYTES
    name = "sentencepiece_model_file"
    return self._literal(name) or self._literal("VOCABULARY_FILE")

  def extra_ids(self) -> int | None:
    """Returns the sentinels after the file's pieces; None without a file."""
    if self.vocabulary() in (None, export.BYTES):
      return None
    return int(self._literal("extra_ids") or 0)

  def _literal(self, name: str) -> Any:
    try:
      return ast.literal_eval(self._values.get(name, "None"))
    except (ValueError, SyntaxError):
      return None  # a reference or a macro


def _without_path(found: re.Match[str]) -> str:
  """Returns a literal, reduced to the file's name if it is a local path."""
  value = ast.literal_eval(f"({found[0]})")
  if not _LOCAL.match(value):
    return found[0]
  return repr("…/" + pathlib.PurePath(value).name)
