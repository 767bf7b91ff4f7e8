"""The README.md of an exported model, and the record of its training."""

import ast
import dataclasses
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distill.checkpoint_formats import export, loading, tensors
from distill.checkpoint_formats.tensors import Checkpoint

_CARD = """\
---
library_name: transformers
pipeline_tag: text2text-generation
{fields}
---
# {name}

A T5 encoder-decoder of {parameters:,} parameters ({dtypes}), {size:.1f} MB of
weights on disk. Converted by `distill convert` from `{source}`
({format}{step}).

## Origin

{origin}

`license` in the header is what `distill convert --license` was told. The terms
of the base model, of the dataset and of the teacher apply to this model.

## Network

{network}

## How it was trained

{training}

## Use

```python
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForSeq2SeqLM.from_pretrained("{name}")
inputs = tokenizer({input}, return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))
```

{forms}
{tables}"""
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
  "PREFIX_SIDE",
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
    self._checkpoint = loading.absolute(checkpoint)
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

  def prefix_side(self) -> str:
    """Returns PREFIX_SIDE of the training; '' if it is not known."""
    return str(self._literal("PREFIX_SIDE") or "")

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
    is_step = loading.CHECKPOINT.fullmatch(folder.name)
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


@dataclasses.dataclass(frozen=True)
class Origin:
  """The dataset, the method and the license of a model.

  Attributes:
    dataset: The dataset of the training; '' if it is not known.
    method: The training method; '' if it is not known.
    forms: The form of an input by task; `…` stands for the text itself.
    license: An identifier of the Hugging Face Hub.
  """

  dataset: str = ""
  method: str = ""
  forms: Mapping[str, str] = dataclasses.field(default_factory=dict)
  license: str = "unknown"


def text(
  checkpoint: Checkpoint,
  record: TrainingRecord,
  name: str,
  activations: tuple[str, ...],
  measured: Mapping[str, str],
  origin: Origin,
) -> str:
  """Returns the card.

  Args:
    checkpoint: The checkpoint that was converted.
    record: The configuration of its run.
    name: The name of the exported folder.
    activations: `T5Config.mlp_activations`.
    measured: The rows of a table of speed and accuracy, which may be empty.
    origin: The dataset, the method and the license.
  """
  arrays = checkpoint.tensors.values()
  counts = {t: int(np.prod(t.shape)) for t in arrays}
  sizes = tensors.sizes({n: t.shape for n, t in checkpoint.tensors.items()})
  step = "" if checkpoint.step is None else f", step {checkpoint.step:,}"
  training = "No config.gin lay beside the checkpoint: not known here."
  if record.text:
    training = (
      f"{_table(record.settings())}\n\n<details><summary>The whole "
      f"configuration</summary>\n\n```python\n{record.text.strip()}\n```\n\n"
      "</details>"
    )
  forms = [form for form in origin.forms.values() if form]
  return _CARD.format(
    fields=_fields(record, origin),
    name=name,
    parameters=sum(counts.values()),
    dtypes=", ".join(sorted({t.dtype.name for t in arrays})),
    size=sum(n * t.dtype.itemsize for t, n in counts.items()) / 1e6,
    source=pathlib.PurePath(checkpoint.path).name,
    format=checkpoint.format,
    step=step,
    origin=_origin(record, origin),
    network=_table({**sizes, "mlp_activations": activations}),
    training=training,
    input=json.dumps(forms[0] if forms else "…", ensure_ascii=False),
    forms=_forms(origin),
    tables=_tables(record, measured),
  )


def _fields(record: TrainingRecord, origin: Origin) -> str:
  """Returns the fields of the header as YAML."""
  fields: dict[str, str | Sequence[str]] = {"license": origin.license}
  if base := record.base_model():
    fields["base_model"] = base
  if origin.dataset:
    fields["datasets"] = [origin.dataset]
  fields["tags"] = [*("distill", "t5"), *filter(None, [origin.method])]
  # JSON is YAML, too.
  return "\n".join(f"{k}: {json.dumps(v)}" for k, v in fields.items())


def _origin(record: TrainingRecord, origin: Origin) -> str:
  base = record.base_model()
  known = {
    "dataset": origin.dataset,
    "method": origin.method,
    "teacher": ", ".join(record.teachers()),
    "base model": "none: random weights" if base == "" else base,
    "license": origin.license,
  }
  return _table({name: value or "not known" for name, value in known.items()})


def _forms(origin: Origin) -> str:
  """Returns a table of the form of an input of each task."""
  if not origin.forms:
    return "`…` stands for an input, as the training's task makes it."
  rows = {task: f"`{form!r}`" for task, form in origin.forms.items()}
  return f"`…` stands for an input. The model was trained on:\n\n{_table(rows)}"


def _tables(record: TrainingRecord, measured: Mapping[str, str]) -> str:
  tables = {
    f"Metrics on the split '{split}'": {
      name: f"{value:.2f}"
      for name, value in values.items()
      if isinstance(value, int | float)
    }
    for split, values in record.metrics().items()
  } | {"Measured": measured}
  return "".join(
    f"\n## {title}\n\n{_table(rows)}\n"
    for title, rows in tables.items()
    if rows
  )


def _table(rows: Mapping[str, Any]) -> str:
  lines = [f"| `{name}` | {value} |" for name, value in rows.items()]
  return "\n".join(["| | |", "|---|---|", *lines])
