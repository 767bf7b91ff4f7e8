"""README.md of an exported model: what it is and how it was trained."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from distill.checkpoint_formats import network_sizes
from distill.checkpoint_formats.tensors import Checkpoint
from distill.checkpoint_formats.training_record import TrainingRecord

_CARD = """\
---
library_name: transformers
pipeline_tag: text2text-generation
---
# {name}

A T5 encoder-decoder of {parameters:,} parameters ({dtypes}), {size:.1f} MB of
weights on disk. Converted by `distill convert` from `{source}`
({format}{step}).

## Network

{network}

## How it was trained

{training}

## Use

```python
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForSeq2SeqLM.from_pretrained("{name}")
inputs = tokenizer("…", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))
```

A student that was trained step by step was given its tasks' prefixes:
`[label] ` before an input asks for the answer, `[rationale] ` for the reasons.
{measured}"""


def text(
  checkpoint: Checkpoint,
  record: TrainingRecord,
  name: str,
  activations: tuple[str, ...],
  measured: Mapping[str, str],
) -> str:
  """Returns the card.

  Args:
    checkpoint: What was converted.
    record: Its run's configuration.
    name: The exported folder's.
    activations: `T5Config.mlp_activations`.
    measured: Rows of a table of speed and accuracy, may be none.
  """
  tensors = checkpoint.tensors.values()
  counts = {t: int(np.prod(t.shape)) for t in tensors}
  sizes = network_sizes.sizes(
    {n: t.shape for n, t in checkpoint.tensors.items()}
  )
  step = "" if checkpoint.step is None else f", step {checkpoint.step:,}"
  training = "No config.gin lay beside the checkpoint: not known here."
  if record.text:
    training = (
      f"{_table(record.settings())}\n\n<details><summary>The whole "
      f"configuration</summary>\n\n```python\n{record.text.strip()}\n```\n\n"
      "</details>"
    )
  return _CARD.format(
    name=name,
    parameters=sum(counts.values()),
    dtypes=", ".join(sorted({t.dtype.name for t in tensors})),
    size=sum(n * t.dtype.itemsize for t, n in counts.items()) / 1e6,
    source=pathlib.PurePath(checkpoint.path).name,
    format=checkpoint.format,
    step=step,
    network=_table({**sizes, "mlp_activations": activations}),
    training=training,
    measured=f"\n## Measured\n\n{_table(measured)}\n" if measured else "",
  )


def _table(rows: Mapping[str, Any]) -> str:
  lines = [f"| `{name}` | {value} |" for name, value in rows.items()]
  return "\n".join(["| | |", "|---|---|", *lines])
