"""What a benchmark counts, and how it prints it."""

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Batch = Mapping[str, np.ndarray]


def count_examples(batch: Batch) -> int:
  """Returns how many inputs a batch holds, packed or not."""
  ids = batch.get("encoder_segment_ids")
  if ids is None:
    return len(batch["encoder_input_tokens"])
  return int(ids.max(axis=1).sum())


def count_targets(batch: Batch) -> int:
  """Returns how many targets a batch holds, packed or joined or not."""
  ids = batch.get("decoder_segment_ids")
  if ids is None:
    return len(batch["decoder_target_tokens"])
  return int(ids.max(axis=1).sum())


def cpu_seconds() -> float:
  """Returns the CPU seconds of this process so far, all threads."""
  usage = resource.getrusage(resource.RUSAGE_SELF)
  return usage.ru_utime + usage.ru_stime


def peak_gib() -> float:
  """Returns the most memory that this process had, in GiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def serve(run: Callable[[int], object]) -> None:
  """Calls `run` with each number on stdin, and prints what the call took.

  The first line is `{}`: the process is ready. The others are JSON objects of
  the CPU seconds of the call (`cpu`) and the peak memory so far (`peak`, GiB).
  `bench/compare.py` lets several such processes run in turn.
  """
  print("{}", flush=True)
  for line in sys.stdin:
    begun = cpu_seconds()
    run(int(line))
    taken = {"cpu": cpu_seconds() - begun, "peak": peak_gib()}
    print(json.dumps(taken), flush=True)


def save(
  path: str, batches: Iterator[Batch], network: Any, count: int = 4
) -> None:
  """Writes the next batches and the sizes of a `T5Config` into an .npz file.

  An array of the file is [count, batch, length]; `sizes` is JSON.
  """
  kept = [next(batches) for _ in range(count)]
  arrays: dict[str, Any] = {
    name: np.stack([batch[name] for batch in kept]) for name in kept[0]
  }
  sizes = json.dumps(dataclasses.asdict(network), default=str)
  np.savez(path, sizes=sizes, **arrays)


@dataclasses.dataclass
class Meter:
  """Adds up what was done between `start` and `report`."""

  compile_seconds: float
  examples: int = 0
  tokens: int = 0
  positions: int = 0
  targets: int = 0

  def start(self) -> None:
    """Starts the clocks, after compiling and warming up."""
    self._wall, self._cpu = time.perf_counter(), cpu_seconds()

  def add(self, examples: int, *tokens: np.ndarray) -> None:
    """Counts a batch and its token arrays [batch, length]; 0 is padding."""
    self.examples += examples
    self.tokens += sum(int((array > 0).sum()) for array in tokens)
    self.positions += sum(array.size for array in tokens)

  def report(self, title: str) -> str:
    """Returns the figures, one a line, since `start`."""
    wall = time.perf_counter() - self._wall
    cpu = cpu_seconds() - self._cpu
    rows = {
      "examples/s": f"{self.examples / wall:.1f}",
      "non-padding tokens/s": f"{self.tokens / wall:,.0f}",
      "padding fraction": f"{1 - self.tokens / self.positions:.3f}",
      "compile seconds": f"{self.compile_seconds:.1f}",
      "peak memory, GiB": f"{peak_gib():.2f}",
      "CPU s per 1,000 examples": f"{1000 * cpu / self.examples:.2f}",
    }
    if self.targets:
      rows["CPU s per 1,000 targets"] = f"{1000 * cpu / self.targets:.2f}"
    lines = [f"  {name:<26}{value:>12}" for name, value in rows.items()]
    return "\n".join([title, *lines])
