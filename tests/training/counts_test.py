"""Nothing got slower by accident: work is counted, and never timed.

counts.json has what a training step and decoding did when it was accepted. A
figure that moves by more than 2% fails, down as well as up. If the change is
wanted, `ACCEPT_COUNTS=1 pytest tests/training/counts_test.py` writes the file;
commit it, with the reason. The figures are of one version of the compiler.
"""

import json
import os
import pathlib
import re

import jax
import numpy as np
import optax
import pytest
import tensorflow as tf
import tiny_models
from seqio import utils as seqio_utils

from distill.data import packing
from distill.evaluation.predictions import Predictor
from distill.planning import hlo
from distill.training import mesh, state, step

FILE = pathlib.Path(__file__).with_name("counts.json")
TOLERANCE = 0.02
ROWS, BATCH = tiny_models.ROWS, tiny_models.batch_of(packed=False)
LENGTHS = {"inputs": 128, "targets": 48}


def training():
  """Returns the work of a step on 8 devices, and its collectives."""
  partitioner = mesh.Partitioner(fsdp=2, model=2)
  model, optimizer = tiny_models.t5_model(), optax.adam(0.1)
  shapes = {name: rows.shape for name, rows in BATCH.items()}
  compiled, _ = step.compile_step(
    step.make_train_step(model, optimizer, lambda step: 0.1, 2),
    partitioner,
    state.abstract_state(model, optimizer, partitioner, shapes),
    partitioner.abstract_batch(shapes),
    jax.device_put(jax.random.key(0), partitioner.replicated),
  )
  text = compiled.as_text()
  devices = jax.device_count()
  done = hlo.work(text, devices)
  kinds = "|".join(hlo.COLLECTIVES)
  collectives = re.findall(rf" ({kinds})(?:-start)?\(", text)
  return {
    "FLOPs an example": done.flops * devices / ROWS,
    "bytes an example": done.traffic * devices / ROWS,
    **{f"{kind}: number": collectives.count(kind) for kind in done.sent},
    **{f"{kind}: bytes": sent for kind, sent in done.sent.items()},
  }


def decoding():
  """Returns how many programs decoding of 72 rows in batches of 32 compiles."""
  model = tiny_models.t5_model()
  params = tiny_models.host_params(model)
  rows = [
    dict(zip(BATCH, row, strict=True))
    for row in zip(*BATCH.values(), strict=True)
  ]
  lowered = []

  def note(event, duration, **_):
    if event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
      lowered.append(duration)

  predictor = Predictor(model, mesh.Partitioner(), ROWS)
  jax.monitoring.register_event_duration_secs_listener(note)
  try:
    list(predictor.decode(params, 2 * rows + rows[:8]))
  finally:
    jax.monitoring.unregister_event_duration_listener(note)
  return {"programs": len(lowered)}


def padding():
  """Returns the padding of rows of 2,000 drawn examples, in percent."""
  rng = np.random.default_rng(0)
  sizes = rng.gamma(4, [[8, 2.5]], (2000, 2)).astype(int) + 2
  sizes = np.minimum(sizes, list(LENGTHS.values()))
  examples = [
    {
      name: np.ones(size, np.int32)
      for name, size in zip(LENGTHS, row, strict=True)
    }
    for row in sizes
  ]
  spec = dict.fromkeys(LENGTHS, tf.TensorSpec([None], tf.int32))
  stream = tf.data.Dataset.from_generator(
    lambda: iter(examples), output_signature=spec
  )
  packed = seqio_utils.trim_and_pack_dataset(stream, LENGTHS)
  best = packing.BestFit(LENGTHS, iter(packing.blocks(stream)))
  names = "encoder_input_tokens", "decoder_target_tokens"
  found = {
    "in order": [
      [row[name] for name in LENGTHS] for row in packed.as_numpy_iterator()
    ],
    "best fit": [[best.batch(1)[n][0] for n in names] for _ in range(100)],
  }
  return {
    way: 100 * (1 - np.mean([np.concatenate(row) > 0 for row in rows]))
    for way, rows in found.items()
  }


def test_the_figures_are_those_that_were_accepted():
  found = {
    "training step": training(),
    "decoding": decoding(),
    "padding, %": padding(),
  }
  if os.environ.get("ACCEPT_COUNTS"):
    content = {"jax": jax.__version__, **found}
    FILE.write_text(json.dumps(content, indent=2) + "\n")
  accepted = json.loads(FILE.read_text())
  if accepted.pop("jax") != jax.__version__:
    pytest.skip("counts.json is of another version of the compiler")
  for what, figures in accepted.items():
    assert found[what] == pytest.approx(figures, rel=TOLERANCE), (
      f"{what}: if the change is wanted, run this test with ACCEPT_COUNTS=1,"
      " and commit counts.json with the reason"
    )
