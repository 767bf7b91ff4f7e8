"""What a MODEL_DIR's config.gin tells of the training of its checkpoints."""

import ast
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


class TrainingRecord:
  """The configuration that a run of this project or of T5X wrote.

  Attributes:
    text: The whole of config.gin, '' where there is none.
  """

  def __init__(self, checkpoint: str) -> None:
    folder = paths.absolute(checkpoint)
    files = [f / "config.gin" for f in (folder, folder.parent)]
    found = [file for file in files if file.exists()]
    self.text = found[0].read_text() if found else ""
    self._values = {
      name: value.strip() for name, value in _BINDING.findall(self.text)
    }

  def settings(self) -> Mapping[str, str]:
    """Returns the settings that matter most, as they stand there."""
    return {n: self._values[n] for n in _TOLD if n in self._values}

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

  def _literal(self, name: str) -> Any:
    try:
      return ast.literal_eval(self._values.get(name, "None"))
    except (ValueError, SyntaxError):
      return None  # a reference or a macro
