"""Training, decoding and attention on one accelerator, as tables.

bench/gpu.sh makes the environment and calls it. Each line is measured by a
process of its own, whose memory is free afterwards. The weights and the packed
rows are random. FLOPs are those of `distill/model/costs.py`: three times the
forward pass, of which MFU is the share of the chip's peak in bfloat16
(`distill/planning/chips.toml`). With remat or padding they are not more.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import attention
import numpy as np

from distill import errors, gin_run

# Rows of a step, and packed rows a second that are the aim on one H200.
SIZES = {
  "tiny": (8, None),
  "base": (128, 900),
  "large": (64, 263),
  "xl": (24, 72),
}
FILES = {"tiny": "models/tiny_byte.gin"}
# What is measured, of all sizes before the next.
LINES = ("training:plain", "training:cudnn", "decoding:plain", "training:xla")
SEGMENTS = 4  # examples in a packed row


def main(argv: Sequence[str]) -> None:
  """Prints a line for each size and variant until the time is up."""
  options = parse(argv)
  if options.measure:
    print(json.dumps(measured(options)))
    return
  ends = time.monotonic() + 60 * options.minutes
  print(
    "| size | program | attention | rows | rows/s | aim | TFLOP/s | MFU |\n"
    "|---|---|---|---|---|---|---|---|",
    flush=True,
  )
  for line in options.line or LINES:
    for size in options.size or ("base", "large", "xl"):
      rows, aim = SIZES[size]
      cells = [size, *line.split(":"), str(options.rows or rows)]
      found = _child([*argv, f"--measure={size}:{line}"], ends)
      if "rows/s" in found:
        wanted = str(aim) if aim and line.startswith("training") else ""
        cells += [f"{found['rows/s']:.1f}", wanted]
        cells += [f"{found['TFLOP/s']:.2f}", found["MFU"]]
      else:
        cells += [f"not measured: {found['reason']}", "", "", ""]
      print(f"| {' | '.join(cells)} |", flush=True)


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = argparse.ArgumentParser(allow_abbrev=False)
  add = parser.add_argument
  add("--size", action="append", choices=SIZES, help="default: all but tiny")
  add("--rows", type=int, help="rows of a batch, in place of the size's own")
  add("--inputs", type=int, default=512, help="input tokens")
  add("--targets", type=int, default=128, help="target tokens")
  add("--steps", type=int, default=10)
  add("--minutes", type=float, default=9.0, help="end by then")
  add("--line", action="append", choices=LINES, help="default: all")
  add("--measure", default="", help=argparse.SUPPRESS)
  return parser.parse_args(argv)


def _child(flags: Sequence[str], ends: float) -> dict[str, Any]:
  """Returns what a process measured, or the `reason` why it did not."""
  late = {"reason": "the time is up"}
  left = ends - time.monotonic()
  if left < 0:
    return late
  try:
    done = subprocess.run(
      [sys.executable, __file__, *flags],
      capture_output=True,
      text=True,
      timeout=left,
      check=False,
    )
  except subprocess.TimeoutExpired:
    return late
  if done.returncode:
    print(done.stderr[-2000:], file=sys.stderr)
    lines = [line for line in done.stderr.splitlines() if "Error" in line]
    return {"reason": (lines or ["no error"])[-1][:160]}
  found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
  return found


def measured(options: argparse.Namespace) -> dict[str, Any]:
  """Returns rows a second, TFLOP/s and MFU of a program."""
  import jax

  from distill.model import costs
  from distill.planning import hardware

  size, program, variant = options.measure.split(":")
  attention.use(variant)
  rows = options.rows or SIZES[size][0]
  model = network(FILES.get(size, f"models/t5_1_1_{size}.gin"))
  batch = packed_rows(
    model.module.config.vocab_size, rows, options.inputs, options.targets
  )
  run = (training if program == "training" else decoding)(model, batch)
  run(1)
  begun = time.perf_counter()
  run(options.steps)
  rate = rows * options.steps / (time.perf_counter() - begun)
  flops = rate * costs.forward_flops(
    model.module.config, options.inputs, options.targets
  )
  if program == "training":
    flops *= 3
  kind = jax.devices()[0].device_kind.lower()
  peaks = [chip.peak for name, chip in hardware.chips().items() if name in kind]
  mfu = f"{100 * flops / peaks[0]:.1f}%" if peaks else "unknown peak"
  return {"rows/s": rate, "TFLOP/s": flops / 1e12, "MFU": mfu}


def network(file: str) -> Any:
  """Returns the model of a gin file in bfloat16, without dropout."""
  unused = ["MIXTURE_OR_TASK_NAME = None", "MIXTURE_OR_TASK_MODULE = None"]
  given = ["ACTIVATION_DTYPE = 'bfloat16'", "DROPOUT_RATE = 0.0"]
  gin_run.load([file], [*unused, *given], gin_run.search_path())
  import gin

  from distill.model import config, encoder_decoder
  from distill.model import network as network_lib

  sizes = gin.get_configurable(config.T5Config)()
  module = network_lib.Transformer(sizes)
  return encoder_decoder.EncoderDecoderModel(module, None, None)


def packed_rows(
  vocab_size: int, rows: int, inputs: int, targets: int
) -> dict[str, np.ndarray]:
  """Returns random rows without padding, of `SEGMENTS` examples each."""
  rng = np.random.default_rng(0)
  batch = {}
  for side, length in (("encoder", inputs), ("decoder", targets)):
    size = -(-length // SEGMENTS)
    places = np.arange(length, dtype=np.int32)
    batch[f"{side}_segment_ids"] = np.tile(places // size + 1, (rows, 1))
    batch[f"{side}_positions"] = np.tile(places % size, (rows, 1))
  shape = (rows, targets)
  tokens = rng.integers(3, vocab_size, (rows, inputs), dtype=np.int32)
  answers = rng.integers(3, vocab_size, shape, dtype=np.int32)
  return batch | {
    "encoder_input_tokens": tokens,
    "decoder_target_tokens": answers,
    # A segment's first input is the beginning of the sequence.
    "decoder_input_tokens": np.where(
      batch["decoder_positions"] > 0, np.roll(answers, 1, axis=1), 0
    ),
    "decoder_loss_weights": np.ones(shape, np.int32),
    "decoder_loss_groups": np.zeros(shape, np.int32),
  }


def training(model: Any, batch: dict[str, np.ndarray]) -> Any:
  """Returns a function that takes steps of Adafactor on the batch."""
  import jax

  from distill.training import mesh, optimizers, schedules, state, step

  schedule = schedules.create_learning_rate_scheduler("constant", 1e-3)
  optimizer = optimizers.adafactor()(schedule)
  partitioner = mesh.Partitioner()
  key = jax.random.key(0)
  shapes = {name: array.shape for name, array in batch.items()}
  abstract = state.abstract_state(model, optimizer, partitioner, shapes)
  params = state.random_params(model, partitioner, shapes, abstract, key)
  current = state.start(params, optimizer, abstract)
  placed = partitioner.shard_batch(batch)
  train_step, _ = step.compile_step(
    step.make_train_step(model, optimizer, schedule),
    partitioner,
    abstract,
    partitioner.abstract_batch(shapes),
    key,
  )

  def run(steps: int) -> None:
    nonlocal current
    for _ in range(steps):
      current, _ = train_step(current, placed, key)
    jax.block_until_ready(current)

  return run


def decoding(model: Any, batch: dict[str, np.ndarray]) -> Any:
  """Returns a function that decodes the inputs to the targets' length."""
  import jax
  import optax

  from distill.training import mesh, state

  partitioner = mesh.Partitioner()
  shapes = {name: array.shape for name, array in batch.items()}
  abstract = state.abstract_state(model, optax.identity(), partitioner, shapes)
  params = state.random_params(
    model, partitioner, shapes, abstract, jax.random.key(0)
  )
  names = "encoder_input_tokens", "decoder_input_tokens"
  inputs = {name: batch[name] for name in names}
  inputs["example_index"] = np.arange(len(inputs[names[0]]), dtype=np.int32)
  placed = partitioner.shard_batch(inputs)
  decode = jax.jit(lambda params, batch: model.decode_batch(params, batch)[0])

  def run(count: int) -> None:
    with partitioner.context():
      for _ in range(count):
        jax.block_until_ready(decode(params, placed))

  return run


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
