"""`distill infer`, `python -m distill.infer`: predictions of a checkpoint.

Gin binds the parameters of `infer`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill import console, errors, gin_run

if TYPE_CHECKING:
  from distill.data.pipeline import DatasetConfig
  from distill.model.encoder_decoder import EncoderDecoderModel
  from distill.training.mesh import Partitioner

MODES = ("predict", "score")


def infer(
  *,
  model: EncoderDecoderModel,
  dataset_cfg: DatasetConfig,
  checkpoint_path: str,
  partitioner: Partitioner,
  output_dir: str,
  mode: str = "predict",
  interactive: bool = False,
) -> list[str]:
  """Writes `<task>-<mode>.jsonl` for each task and returns the paths.

  Args:
    model: The student.
    dataset_cfg: The data; of a mixture, the tasks with metrics. A task without
      them, such as `<data>_rationale`, is decoded where it is named itself.
    checkpoint_path: A checkpoint, or a MODEL_DIR: the best, or else the newest
      in it.
    partitioner: The mesh.
    output_dir: Where the files go; none that exists is overwritten.
    mode: 'predict', or 'score' for log-likelihoods of the targets.
    interactive: Answer inputs typed on the terminal instead, and write nothing.

  Raises:
    UserError: The input is wrong.
  """
  import jax

  from distill.evaluation import interactive as terminal
  from distill.evaluation import predictions
  from distill.training import checkpoints

  errors.require(
    "The gin macro MODE", mode, mode in MODES, " or ".join(map(repr, MODES))
  )
  if not interactive:
    checkpoints.check_writable(output_dir, "INFER_OUTPUT_DIR")
    predictions.check_outputs(dataset_cfg, output_dir, mode)
  console.say("reading the checkpoint")
  params, checkpoint = predictions.restore(
    model, dataset_cfg, partitioner, checkpoint_path
  )
  if interactive:
    print(f"{checkpoint}; an empty line ends.")
    terminal.converse(
      model, params, dataset_cfg, partitioner, sys.stdin, sys.stdout
    )
    return []
  is_first = jax.process_index() == 0
  console.say(f"decoding {dataset_cfg.mixture_or_task_name}, compiling first")
  paths = predictions.write_predictions(
    model,
    params,
    dataset_cfg,
    partitioner,
    output_dir,
    on_progress=TaskProgress(dataset_cfg.batch_size)
    if is_first
    else lambda *_: None,
    mode=mode,
  )
  if is_first:
    print(f"{checkpoint}, split '{dataset_cfg.split}':")
    print("\n".join(f"  {path}" for path in paths))
  return paths


class TaskProgress:
  """Writes a line for each tenth of a task to stderr, with the time to go.

  Examples come by the batch, so the time left is that of the batches left. It
  is absent before the second batch: the first one compiles.
  """

  def __init__(self, batch_size: int) -> None:
    self._batch_size = batch_size
    self._begin = time.monotonic()

  def __call__(self, task: str, done: int, total: int) -> None:
    """Shows that `done` of `total` examples are decoded; 0: unknown."""
    if done == 1:
      self._begin = time.monotonic()
    every = max(total // 10, 1) if total else 1000
    if done % every and done != total:
      return
    line = f"{task}: {done}" + (f"/{total}" if total else "")
    batches, left = (-(-n // self._batch_size) for n in (done, total - done))
    if batches > 1 and total:
      pace = (time.monotonic() - self._begin) / (batches - 1)
      line += f"  ETA {pace * left:.0f} s"
    print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> None:
  """Infers as flags and gin files say."""
  gin_run.run("infer", argv)


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
