"""Time and memory to load random weights of a gin file's network.

python bench/load_checkpoint.py --gin_file=models/t5_1_1_small.gin \\
  --format=huggingface --dtype=float32

Writes the checkpoint into a temporary folder ($TMPDIR), takes it out of the
page cache, and loads it in a fresh process as training would. Linux only.
"""

import argparse
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from distill import errors, gin_run
from distill.commands import convert


def main(argv: Sequence[str]) -> None:
  """Writes a checkpoint, and prints what it takes to load it."""
  parser = argparse.ArgumentParser()
  parser.add_argument("--gin_file", required=True)
  parser.add_argument("--format", choices=convert.FORMATS, required=True)
  parser.add_argument("--dtype", default="float32")
  parser.add_argument("--load", help=argparse.SUPPRESS)
  options = parser.parse_args(argv)
  # The network needs no task; the model file merely demands the names.
  unused = ["MIXTURE_OR_TASK_NAME = None", "MIXTURE_OR_TASK_MODULE = None"]
  gin_run.load([options.gin_file], unused, gin_run.search_path())
  abstract, config = abstract_params()
  if options.load:
    print(load(options.load, abstract, config))
    return
  with tempfile.TemporaryDirectory() as folder:
    begun = time.perf_counter()
    write(pathlib.Path(folder), abstract, config, options)
    seconds = time.perf_counter() - begun
    size = drop_from_page_cache(folder)
    print(
      f"{options.gin_file}, {options.format}, {options.dtype}: "
      f"{size / 2**30:.2f} GiB on disk, written in {seconds:.1f} s",
      flush=True,
    )
    subprocess.run([sys.executable, *sys.argv, f"--load={folder}"], check=True)


def abstract_params() -> tuple[Any, Any]:
  """Returns the shapes of the gin file's network, and its T5Config."""
  import gin
  import optax

  from distill.model import config as config_lib
  from distill.model import encoder_decoder, network
  from distill.training import mesh, state

  config = gin.get_configurable(config_lib.T5Config)()
  model = encoder_decoder.EncoderDecoderModel(
    network.Transformer(config), None, None
  )
  names = ("encoder_input", "decoder_input", "decoder_target")
  shapes = {f"{name}_tokens": (1, 8) for name in names}
  abstract = state.abstract_state(
    model, optax.identity(), mesh.Partitioner(), shapes
  )
  return abstract.params, config


def write(
  folder: pathlib.Path, abstract: Any, config: Any, options: Any
) -> None:
  """Writes random weights, which are made as they are written."""
  import ml_dtypes
  from flax import traverse_util

  from distill.checkpoint_formats import huggingface, orbax, t5x, tensors

  dtype = np.dtype(
    ml_dtypes.bfloat16 if options.dtype == "bfloat16" else options.dtype
  )
  rng = np.random.default_rng(0)

  def tensor(shape: tuple[int, ...]) -> tensors.Tensor:
    return tensors.Tensor(
      shape,
      dtype,
      "random",
      lambda _: rng.standard_normal(shape, np.float32).astype(dtype),
    )

  flat = traverse_util.flatten_dict(abstract, sep="/")
  checkpoint = tensors.Checkpoint(
    "random",
    "random",
    {name: tensor(leaf.shape) for name, leaf in flat.items()},
  )
  if options.format == "huggingface":
    huggingface.write(checkpoint, folder, config.mlp_activations)
  else:
    writer = {"t5x": t5x, "native": orbax}[options.format]
    writer.write(checkpoint, folder)


def drop_from_page_cache(folder: str) -> int:
  """Lets the system forget the files' content; returns their bytes."""
  size = 0
  for path in pathlib.Path(folder).rglob("*"):
    if path.is_file():
      with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
      size += path.stat().st_size
  return size


def load(path: str, abstract: Any, config: Any) -> str:
  """Loads a checkpoint and returns the report."""
  import jax

  from distill.checkpoint_formats import loading

  memory = PeakMemory()
  memory.start()
  begun = time.perf_counter()
  checkpoint = loading.open_checkpoint(path)
  params, _ = loading.load_params(checkpoint, abstract, config)
  jax.block_until_ready(params)
  seconds = time.perf_counter() - begun
  count = sum(math.prod(x.shape) for x in jax.tree.leaves(params))
  held = sum(x.nbytes for x in jax.tree.leaves(params)) / 2**30
  resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
  return (
    f"  loaded {count:,} parameters, {held:.2f} GiB, in {seconds:.1f} s; peak "
    f"memory {memory.most:.2f} GiB, {memory.first:.2f} of it before "
    f"({resident:.2f} GiB resident with the pages of mapped files)"
  )


class PeakMemory(threading.Thread):
  """Watches the process's own memory, without mapped files, in GiB."""

  def __init__(self) -> None:
    super().__init__(daemon=True)
    self.first = self.most = self._now()

  def run(self) -> None:
    """Looks until the process ends."""
    while True:
      self.most = max(self.most, self._now())
      time.sleep(0.02)

  def _now(self) -> float:
    status = pathlib.Path("/proc/self/status").read_text()
    [line] = [s for s in status.splitlines() if s.startswith("RssAnon")]
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
