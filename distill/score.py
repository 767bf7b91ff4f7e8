"""`distill score`: writes log-likelihoods of given targets as JSONL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import errors, gin_flags, infer

if TYPE_CHECKING:
  from distill.data.pipeline import DatasetConfig
  from distill.model.encoder_decoder import EncoderDecoderModel
  from distill.training.mesh import Partitioner


def score(
  *,
  model: EncoderDecoderModel,
  dataset_cfg: DatasetConfig,
  checkpoint_path: str,
  partitioner: Partitioner,
  output_dir: str,
) -> list[str]:
  """Writes `<task>-score.jsonl` for each task and returns the paths.

  A line's `score` is the sum of its target tokens' natural log-probabilities.
  The arguments and errors are those of `infer`.
  """
  return infer.infer(
    model=model,
    dataset_cfg=dataset_cfg,
    checkpoint_path=checkpoint_path,
    partitioner=partitioner,
    output_dir=output_dir,
    mode="score",
  )


def main(argv: Sequence[str]) -> None:
  """Scores as flags and gin files say."""
  gin_flags.run("score", argv)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
