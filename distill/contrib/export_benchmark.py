"""Measures the speed and accuracy of an exported model with CTranslate2."""

import json
import pathlib
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from distill import errors

_QUANTIZATIONS = ("float32", "int8")
# The number of examples; they are answered one at a time.
_EXAMPLES = 200


def measure(folder: pathlib.Path, examples: str) -> dict[str, str]:
  """Measures an exported model on one core, in float32 and int8.

  Args:
    folder: An exported model with a tokenizer.
    examples: A file that `distill evaluate` or `distill infer` wrote: JSON
      lines with `inputs` and, for the exact match, `target`.

  Returns:
    The rows of a table for the model card.

  Raises:
    UserError: The file cannot be used, or an extra is not installed.
  """
  rows = _read(examples)
  targets = [row.get("target") for row in rows]
  measured: dict[str, str] = {}
  given: list[list[str]] = []
  for quantization in _QUANTIZATIONS:
    said, seconds, size = answers(
      folder, [row["inputs"] for row in rows], quantization
    )
    middle, slow = 1000 * np.percentile(seconds, [50, 95])
    measured |= {
      f"{quantization}: size": f"{size / 1e6:.1f} MB",
      f"{quantization}: latency, batch 1, one core": f"p50 {middle:.1f} ms, "
      f"p95 {slow:.1f} ms",
      f"{quantization}: exact match": _share(said, targets),
    }
    given.append(said)
  return {**measured, "int8: answers as in float32": _share(*given)}


def answers(
  folder: pathlib.Path, inputs: Sequence[str], quantization: str
) -> tuple[list[str], list[float], int]:
  """Returns the greedy answers, the seconds of each, and the size in bytes."""
  try:
    import ctranslate2
    import transformers
  except ImportError as error:
    raise errors.UserError(
      "--measure needs CTranslate2 and transformers.",
      found=str(error),
      remedy="pip install 'distill-jax[huggingface]'",
    ) from error
  tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
  generation = transformers.GenerationConfig.from_pretrained(str(folder))
  said, seconds = [], []
  with tempfile.TemporaryDirectory() as converted:
    converter = ctranslate2.converters.TransformersConverter(str(folder))
    converter.convert(converted, quantization=quantization, force=True)
    size = sum(f.stat().st_size for f in pathlib.Path(converted).iterdir())
    translator = ctranslate2.Translator(
      converted, compute_type=quantization, inter_threads=1, intra_threads=1
    )
    for text in inputs:
      tokens = tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)
      begun = time.perf_counter()
      [result] = translator.translate_batch(
        [tokens],
        beam_size=1,
        max_decoding_length=generation.max_new_tokens or 256,
      )
      seconds.append(time.perf_counter() - begun)
      ids = tokenizer.convert_tokens_to_ids(result.hypotheses[0])
      said.append(tokenizer.decode(ids, skip_special_tokens=True))
  return said, seconds, size


def _read(examples: str) -> list[dict[str, Any]]:
  try:
    lines = epath.Path(examples).read_text().splitlines()[:_EXAMPLES]
    rows = [json.loads(line) for line in lines]
  except (OSError, ValueError) as error:
    found = str(error)
  else:
    if rows and all("inputs" in row for row in rows):
      return rows
    found = f"{len(rows)} lines, not all with 'inputs'"
  raise errors.UserError(
    f"'{examples}' cannot be measured on.",
    expected="predictions of `distill evaluate`: JSON lines with 'inputs'",
    found=found,
    remedy="name one of its files with --measure=FILE",
  )


def _share(said: Sequence[str], expected: Sequence[Any]) -> str:
  equal = sum(a == b for a, b in zip(said, expected, strict=True))
  return f"{100 * equal / len(said):.1f} % of {len(said)}"
