"""What lies beside a checkpoint about its training and its evaluation."""

import ast
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from distill.checkpoint_formats import paths, tokenizer_files

# What a reader of a model card asks first.
_TOLD = (
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
    text: The whole of config.gin without paths of this machine, '' where there
      is none.
  """

  def __init__(self, checkpoint: str) -> None:
    self._checkpoint = paths.absolute(checkpoint)
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
    """Returns the settings that matter most, without paths of this machine."""
    return {n: self._shown[n] for n in _TOLD if n in self._shown}

  def task(self) -> str:
    """Returns the task or mixture of the training, '' if it is not known."""
    return str(self._literal("MIXTURE_OR_TASK_NAME") or "")

  def module(self) -> str:
    """Returns the module that registers the task, '' where none is named."""
    return str(self._literal("MIXTURE_OR_TASK_MODULE") or "")

  def base_model(self) -> str | None:
    """Returns the name of the initial checkpoint, None if it is not known.

    It is the Hugging Face Hub's where the path has T5X's name of that model,
    and '' where training started from random weights.
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
    is_step = paths.CHECKPOINT.fullmatch(folder.name)
    return folder.parent.name if is_step else folder.name

  def teachers(self) -> list[str]:
    """Returns the teachers whose answers the data position names."""
    file = self._checkpoint / "data" / "metadata"
    try:
      sources = json.loads(file.read_text())["dataset"]["sources"]
      caches = [source.get("cache", {}) for source in sources.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
      return []  # another format, or a checkpoint of an earlier version
    return sorted({cache["teacher"] for cache in caches if "teacher" in cache})

  def metrics(self) -> Mapping[str, Mapping[str, float]]:
    """Returns the metrics of this checkpoint by split.

    They are what `distill evaluate` wrote into the folder of checkpoints, a
    folder in it or a folder beside it.
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
    """Returns `T5Config.mlp_activations`, None where it does not say."""
    value = self._literal("mlp_activations")
    return tuple(value) if value else None

  def max_new_tokens(self) -> int | None:
    """Returns the length of the targets, None where it does not say."""
    lengths = self._literal("TASK_FEATURE_LENGTHS")
    return lengths.get("targets") if isinstance(lengths, dict) else None

  def vocabulary(self) -> str | None:
    """Returns a SentencePiece file or `BYTES`, None where it does not say."""
    if "ByteVocabulary" in self._values.get("VOCABULARY", ""):
      return tokenizer_files.BYTES
    name = "sentencepiece_model_file"
    return self._literal(name) or self._literal("VOCABULARY_FILE")

  def extra_ids(self) -> int | None:
    """Returns the sentinels beyond the file, None where no file is named."""
    if self.vocabulary() in (None, tokenizer_files.BYTES):
      return None
    return int(self._literal("extra_ids") or 0)

  def _literal(self, name: str) -> Any:
    try:
      return ast.literal_eval(self._values.get(name, "None"))
    except (ValueError, SyntaxError):
      return None  # a reference or a macro


def _without_path(found: re.Match[str]) -> str:
  """Returns a literal, or only the name of the file that it is a path of."""
  value = ast.literal_eval(f"({found[0]})")
  if not _LOCAL.match(value):
    return found[0]
  return repr("…/" + pathlib.PurePath(value).name)
