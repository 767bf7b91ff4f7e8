"""`distill convert`: weights from one format to another."""

import argparse
import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import console, errors
from distill.flags import Parser, add_fields

if TYPE_CHECKING:
  from distill.checkpoint_formats import model_card
  from distill.checkpoint_formats.model_card import TrainingRecord
  from distill.checkpoint_formats.tensors import Checkpoint

FORMATS = ("huggingface", "t5x", "native")


@dataclasses.dataclass(frozen=True)
class Export:
  """What `--format=huggingface` takes.

  Attributes:
    tokenizer: huggingface: a SentencePiece file, 'bytes' or 'none'; default:
      that of config.gin beside the checkpoint.
    mlp_activations: huggingface: such as 'gelu,linear', which shapes do not
      determine; default: from config.gin or config.json, or else gelu,linear
      for two branches (T5.1.1) and relu for one (T5.1.0).
    license: huggingface: the licence that the model card names, such as
      apache-2.0.
    measure: huggingface: predictions of `distill evaluate`; measures the model
      on their inputs, on one core in float32 and int8, for the model card;
      needs the extra [huggingface].
  """

  tokenizer: str | None = None
  mlp_activations: str | None = None
  license: str = "unknown"
  measure: str | None = None


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = Parser(
    "distill convert",
    description="Converts a checkpoint to another format: docs/checkpoints.md. "
    "The network is inferred from the names and shapes of its parameters.",
  )
  add = parser.add_argument
  add(
    "--input", required=True, help="a checkpoint of any format, or a MODEL_DIR"
  )
  add("--output", required=True, help="a folder that does not exist yet")
  add("--format", required=True, choices=FORMATS, help="format of the output")
  add(
    "--dtype",
    choices=("bfloat16", "float32"),
    help="type of the weights; default: as they are",
  )
  add_fields(add, Export)
  return parser.parse(argv)


def main(argv: Sequence[str]) -> None:
  """Converts a checkpoint and prints where it is."""
  options = parse_arguments(argv)
  console.say(f"reading {options.input}")
  from distill.checkpoint_formats import export, loading, orbax, t5x

  checkpoint = loading.open_checkpoint(options.input)
  if options.dtype:
    cast = {n: t.cast(options.dtype) for n, t in checkpoint.tensors.items()}
    checkpoint = dataclasses.replace(checkpoint, tensors=cast)
  console.say(f"writing {options.output}")
  with export.new_folder(options.output) as folder:
    if options.format == "huggingface":
      _write_huggingface(checkpoint, folder, options)
      written = options.output
    else:
      loading.check_constants(checkpoint)
      writer = {"native": orbax, "t5x": t5x}[options.format]
      writer.write(checkpoint, folder)
      written = os.path.join(
        options.output, f"checkpoint_{checkpoint.step or 0}"
      )
  print(f"{written}: {len(checkpoint.tensors)} arrays of {checkpoint.path}")


def _write_huggingface(
  checkpoint: "Checkpoint", folder: pathlib.Path, options: argparse.Namespace
) -> None:
  """Writes weights, configuration, tokenizer and model card."""
  from etils import epath

  from distill.checkpoint_formats import (
    export,
    huggingface,
    model_card,
  )

  record = model_card.TrainingRecord(checkpoint.path)
  activations = _activations(checkpoint, record.activations(), options)
  huggingface.write(checkpoint, folder, activations, record.max_new_tokens())
  vocabulary = options.tokenizer or record.vocabulary() or "none"
  if vocabulary != "none":
    rows = checkpoint.tensors["token_embedder/embedding"].shape[0]
    extra_ids = record.extra_ids()
    if checkpoint.config_json.get("model_type") == "mt5":
      extra_ids = 0  # They are in its SentencePiece file.
    export.write_tokenizer(folder, vocabulary, rows, extra_ids)
  elif options.tokenizer or not export.copy_tokenizer(
    epath.Path(checkpoint.path), folder
  ):
    print("no tokenizer: name one with --tokenizer=FILE", file=sys.stderr)
  name = pathlib.Path(options.output).name
  measured: dict[str, str] = {}
  if options.measure:
    from distill.contrib import export_benchmark

    measured = export_benchmark.measure(folder, options.measure)
  origin = _origin(record, options.license)
  card = model_card.text(
    checkpoint, record, name, activations, measured, origin
  )
  (folder / "README.md").write_text(card)


def _origin(record: "TrainingRecord", license_id: str) -> "model_card.Origin":
  """Returns what the name of the task and its registration tell."""
  from distill.checkpoint_formats import model_card
  from distill.data import methods

  task = record.task()
  if not task:
    return model_card.Origin(license=license_id)
  dataset, method = methods.split_name(task)
  try:
    # Imports TensorFlow, to find out what stands in front of an input.
    from distill.data import prefixes, registration

    provider = registration.get_mixture_or_task(task, record.module() or None)
    forms = prefixes.input_forms(provider)
  except (errors.UserError, ImportError):
    forms = {}  # The module of the task is not on this machine.
  return model_card.Origin(dataset, method, forms, license_id)


def _activations(
  checkpoint: "Checkpoint",
  recorded: tuple[str, ...] | None,
  options: argparse.Namespace,
) -> tuple[str, ...]:
  """Returns the names of the activations, from whoever knows them."""
  from distill.model import config

  if options.mlp_activations:
    names = tuple(options.mlp_activations.split(","))
    errors.require(
      "--mlp_activations",
      options.mlp_activations,
      set(names) <= set(config.ACTIVATIONS),
      "a comma list out of " + ", ".join(config.ACTIVATIONS),
    )
    return names
  if known := recorded or checkpoint.declared.get("mlp_activations"):
    return known
  gated = "encoder/layers_0/mlp/wi_1/kernel" in checkpoint.tensors
  assumed = ("gelu", "linear") if gated else ("relu",)
  print(
    f"mlp_activations are not recorded: {','.join(assumed)} is assumed",
    file=sys.stderr,
  )
  return assumed
