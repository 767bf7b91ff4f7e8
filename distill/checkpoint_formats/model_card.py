"""The README.md of an exported model."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distill.checkpoint_formats import loading
from distill.checkpoint_formats.tensors import Checkpoint
from distill.checkpoint_formats.training_record import TrainingRecord

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
  tensors = checkpoint.tensors.values()
  counts = {t: int(np.prod(t.shape)) for t in tensors}
  sizes = loading.sizes({n: t.shape for n, t in checkpoint.tensors.items()})
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
    dtypes=", ".join(sorted({t.dtype.name for t in tensors})),
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
